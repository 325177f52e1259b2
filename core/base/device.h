#pragma once
#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "core/base/tensor.h"
#include "cuda/kernels.h"
#include "cuda/runtime.h"

namespace faststar {

/// Which implementation of an op runs: on a GPU ours or the plain ATen one, and on a CPU oneDNN's float32 products or
/// those of ATen (`--kernels`).
enum class Kernels { automatic, reference };

/// Process-wide, like LibTorch's own switches.
void set_kernels(Kernels kernels);
/// What was set last; at first Kernels::automatic.
Kernels current_kernels();

/// True when `input` is a float32, bfloat16 or integer tensor on a GPU and our kernels are on. An op without a kernel
/// for its gradient asks use_kernels instead.
bool kernels_take(const Tensor& input);

/// True when gradients are recorded and one of the tensors, undefined ones aside, has to be differentiated.
bool needs_gradient(std::initializer_list<Tensor> inputs);

/// kernels_take(input), and nothing has to be differentiated through it.
bool use_kernels(const Tensor& input);

/// How the kernels name the dtype of `input`, float32 or bfloat16. Throws c10::Error for another one.
cuda::FloatType float_type(const Tensor& input);

/// `tensor` as every kernel can read it: contiguous and aligned to 16 bytes, copied where it is not. Undefined stays
/// undefined.
Tensor kernel_operand(const Tensor& tensor);

/// What a kernel over these operands is launched on: LibTorch's current stream of the GPU that holds them. Throws
/// c10::Error when one of them is not contiguous or lies elsewhere; undefined ones are passed over.
cuda::Stream kernel_stream(std::initializer_list<Tensor> operands);

/// True when kernels built for `architectures` run on a GPU: "90a" on capability 90 alone, "89" on 89 and later ones of
/// the same major version.
bool runs_on(std::string_view architectures, int capability);

/// Turns "cpu", "cuda" or "cuda:1" into a device that works; empty means cuda:0 where there is one, else cpu.
/// Throws Error(usage) for another word and Error(device) when the GPU, the driver or its architecture is
/// missing, naming what was found and what is needed.
at::Device pick_device(const std::string& text);

/// 90 for compute capability 9.0; 0 for a GPU that does not exist.
int gpu_capability(at::Device device);

/// "NVIDIA H200", "cpu", or what says that there is no such GPU.
std::string device_name(at::Device device);

/// "AMD EPYC 9654 96-Core Processor"; empty where the kernel does not say.
std::string cpu_name();

/// Bytes of a GPU that are free or that this process holds already: what a plan may count on. Throws Error(device)
/// when it does not answer.
int64_t usable_device_bytes(at::Device device);

/// True when the processor has instructions for bfloat16 (AVX-512 BF16, which comes with AMX too); else float32 is
/// faster.
bool cpu_has_bfloat16();

/// Process-wide: the C library keeps freed memory for later operations. By default each activation on a CPU comes from
/// the kernel and goes back to it page by page, a tenth of the time of a clip of the embedded model.
void keep_freed_memory();

/// Process-wide: float32 means float32 (no TF32 in matrix products and convolutions), and attention goes to cuDNN only
/// where it is called by name: left to LibTorch, every new shape pays for a plan, 30-50 ms.
void set_up_backends();

/// set_kernels() and set_up_backends() for as long as it lives; then what was set before holds again. Two of them nest;
/// they must not overlap in time in other ways.
class BackendScope {
 public:
  explicit BackendScope(Kernels kernels);
  ~BackendScope();
  BackendScope(const BackendScope&) = delete;
  BackendScope& operator=(const BackendScope&) = delete;

 private:
  Kernels kernels_;
  bool tf32_products_, tf32_convolutions_, cudnn_attention_;
};

/// How a GPU multiplies in float32 convolutions: with all bits, or with TF32's 10 bits of each factor, as PyTorch does
/// unless told otherwise. A CPU always takes all bits.
enum class ConvolutionBits { float32, tf32 };

/// Sets that, process-wide, for as long as it lives; nests within a BackendScope. Matrix products keep all bits.
class ConvolutionScope {
 public:
  explicit ConvolutionScope(ConvolutionBits bits);
  ~ConvolutionScope();
  ConvolutionScope(const ConvolutionScope&) = delete;
  ConvolutionScope& operator=(const ConvolutionScope&) = delete;

 private:
  bool tf32_before_;
};

/// Most bytes that tensors held on `device` since the last reset; 0 on the CPU.
int64_t peak_device_bytes(at::Device device);
void reset_peak_device_bytes(at::Device device);

/// Waits for the device's queue, so that a host clock measures work done. Does nothing on the CPU.
void synchronize(at::Device device);

/// Gives cached device memory back, between stages that use very different sizes.
void release_cached_memory(at::Device device);

/// A tensor on its way to the CPU, while the GPU goes on with other work.
class HostCopy {
 public:
  /// Queues the copy into pinned memory, behind the work that makes `source`. On the CPU nothing is copied unless
  /// `source` is not contiguous.
  explicit HostCopy(const Tensor& source);
  /// Waits for the copy. Contiguous, on the CPU.
  const Tensor& get() const;

 private:
  Tensor host_;
  std::function<void()> wait_;
};

}  // namespace faststar
