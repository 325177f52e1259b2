// silu(gate) * up (core/model/star/swiglu.h) and its gradients. A thread an aligned 16-byte vector: 6 B an element in
// bf16, against 10 B of the two ATen ops. Tails and odd addresses go element by element.
#include "cuda/vector.cuh"

namespace faststar::cuda {
namespace {

constexpr int kThreads = 256;

template <typename T>
__device__ T swiglu_element(T gate, T up) {
  const float g = to_float(gate);
  return from_float<T>(rounded<T>(g / (1.0f + expf(-g))) * to_float(up));
}

template <typename T>
__global__ void swiglu_vector_kernel(Vector<T>* out, const Vector<T>* gate, const Vector<T>* up, int64_t vectors) {
  const int64_t index = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (index >= vectors) return;
  const Vector<T> g = gate[index];
  const Vector<T> u = up[index];
  Vector<T> product;
#pragma unroll
  for (int j = 0; j < Vector<T>::kSize; ++j) product.value[j] = swiglu_element(g.value[j], u.value[j]);
  out[index] = product;
}

template <typename T>
__global__ void swiglu_scalar_kernel(T* out, const T* gate, const T* up, int64_t elements) {
  const int64_t index = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (index < elements) out[index] = swiglu_element(gate[index], up[index]);
}

/// Gradients of gate and up for one element.
template <typename T>
__device__ void differentiate_element(T gate, T up, T grad_out, T& grad_gate, T& grad_up) {
  const float g = to_float(gate), r = to_float(grad_out);
  const float sigmoid = 1.0f / (1.0f + expf(-g));
  grad_gate = from_float<T>(r * to_float(up) * sigmoid * (1.0f + g * (1.0f - sigmoid)));
  grad_up = from_float<T>(r * rounded<T>(g * sigmoid));
}

template <typename T>
__global__ void swiglu_gradient_vector_kernel(const SwigluGradient op, int64_t vectors) {
  const int64_t index = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (index >= vectors) return;
  const Vector<T> gate = static_cast<const Vector<T>*>(op.gate)[index];
  const Vector<T> up = static_cast<const Vector<T>*>(op.up)[index];
  const Vector<T> grad_out = static_cast<const Vector<T>*>(op.grad_out)[index];
  Vector<T> grad_gate, grad_up;
#pragma unroll
  for (int j = 0; j < Vector<T>::kSize; ++j) {
    differentiate_element(gate.value[j], up.value[j], grad_out.value[j], grad_gate.value[j], grad_up.value[j]);
  }
  static_cast<Vector<T>*>(op.grad_gate)[index] = grad_gate;
  static_cast<Vector<T>*>(op.grad_up)[index] = grad_up;
}

template <typename T>
__global__ void swiglu_gradient_scalar_kernel(const SwigluGradient op) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= op.elements) return;
  differentiate_element(static_cast<const T*>(op.gate)[i], static_cast<const T*>(op.up)[i],
                        static_cast<const T*>(op.grad_out)[i], static_cast<T*>(op.grad_gate)[i],
                        static_cast<T*>(op.grad_up)[i]);
}

}  // namespace

void swiglu(void* out, const void* gate, const void* up, int64_t elements, FloatType type, Stream stream) {
  with_type(type, [&]<typename T>() {
    if (vectorizable<T>(elements, out, gate, up)) {
      const int64_t vectors = elements / Vector<T>::kSize;
      launch("swiglu", swiglu_vector_kernel<T>, {block_count(vectors, kThreads)}, kThreads, stream,
             static_cast<Vector<T>*>(out), static_cast<const Vector<T>*>(gate), static_cast<const Vector<T>*>(up),
             vectors);
    } else {
      launch("swiglu", swiglu_scalar_kernel<T>, {block_count(elements, kThreads)}, kThreads, stream,
             static_cast<T*>(out), static_cast<const T*>(gate), static_cast<const T*>(up), elements);
    }
  });
}

void swiglu_gradient(const SwigluGradient& op, FloatType type, Stream stream) {
  with_type(type, [&]<typename T>() {
    if (vectorizable<T>(op.elements, op.gate, op.up, op.grad_out, op.grad_gate, op.grad_up)) {
      const int64_t vectors = op.elements / Vector<T>::kSize;
      launch("swiglu_gradient", swiglu_gradient_vector_kernel<T>, {block_count(vectors, kThreads)}, kThreads, stream,
             op, vectors);
    } else {
      launch("swiglu_gradient", swiglu_gradient_scalar_kernel<T>, {block_count(op.elements, kThreads)}, kThreads,
             stream, op);
    }
  });
}

}  // namespace faststar::cuda
