// silu(gate) * up (core/model/layers.h) and its gradients. A thread an aligned 16-byte vector: 6 B an element in
// bf16, against 10 B of the two ATen ops. Odd numbers of elements and odd addresses go element by element. H200,
// `bench ops`: 4,370 GB/s at 16384 x 16384 in bf16, what a copy reaches.
#include "cuda/launch.cuh"

namespace faststar::cuda {
namespace {

constexpr int kThreads = 256;

template <typename T, int kSize>
__global__ void swiglu_kernel(Vector<T, kSize>* out, const Vector<T, kSize>* gate, const Vector<T, kSize>* up,
                              int64_t vectors) {
  const int64_t index = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (index >= vectors) return;
  const Vector<T, kSize> g = gate[index];
  const Vector<T, kSize> u = up[index];
  Vector<T, kSize> product;
#pragma unroll
  for (int j = 0; j < kSize; ++j) product.value[j] = swiglu_element(g.value[j], u.value[j]);
  out[index] = product;
}

/// Gradients of gate and up for one element.
template <typename T>
__device__ void differentiate_element(T gate, T up, T grad_out, T& grad_gate, T& grad_up) {
  const float g = to_float(gate), r = to_float(grad_out);
  const float sigmoid = 1.0f / (1.0f + expf(-g));
  grad_gate = from_float<T>(r * to_float(up) * sigmoid * (1.0f + g * (1.0f - sigmoid)));
  grad_up = from_float<T>(r * rounded<T>(g * sigmoid));
}

template <typename T, int kSize>
__global__ void swiglu_gradient_kernel(const SwigluGradient op, int64_t vectors) {
  const int64_t index = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (index >= vectors) return;
  const auto gate = static_cast<const Vector<T, kSize>*>(op.gate)[index];
  const auto up = static_cast<const Vector<T, kSize>*>(op.up)[index];
  const auto grad_out = static_cast<const Vector<T, kSize>*>(op.grad_out)[index];
  Vector<T, kSize> grad_gate, grad_up;
#pragma unroll
  for (int j = 0; j < kSize; ++j) {
    differentiate_element(gate.value[j], up.value[j], grad_out.value[j], grad_gate.value[j], grad_up.value[j]);
  }
  static_cast<Vector<T, kSize>*>(op.grad_gate)[index] = grad_gate;
  static_cast<Vector<T, kSize>*>(op.grad_up)[index] = grad_up;
}

/// Calls `function.operator()<T, kSize>()`: whole vectors where number and addresses of the elements allow them, else
/// one element at a time.
template <typename Function, typename... Pointers>
void with_vectors(FloatType type, int64_t elements, Function&& function, Pointers... pointers) {
  with_type(type, [&]<typename T>() {
    if (vectorizable<T>(elements, pointers...)) return function.template operator()<T, Vector<T>::kSize>();
    function.template operator()<T, 1>();
  });
}

}  // namespace

void swiglu(void* out, const void* gate, const void* up, int64_t elements, FloatType type, Stream stream) {
  const auto run = [&]<typename T, int kSize>() {
    using Elements = Vector<T, kSize>;
    launch("swiglu", swiglu_kernel<T, kSize>, {block_count(elements / kSize, kThreads)}, kThreads, stream,
           static_cast<Elements*>(out), static_cast<const Elements*>(gate), static_cast<const Elements*>(up),
           elements / kSize);
  };
  with_vectors(type, elements, run, out, gate, up);
}

void swiglu_gradient(const SwigluGradient& op, FloatType type, Stream stream) {
  const auto run = [&]<typename T, int kSize>() {
    launch("swiglu_gradient", swiglu_gradient_kernel<T, kSize>, {block_count(op.elements / kSize, kThreads)}, kThreads,
           stream, op, op.elements / kSize);
  };
  with_vectors(type, op.elements, run, op.gate, op.up, op.grad_out, op.grad_gate, op.grad_up);
}

}  // namespace faststar::cuda
