#include "core/base/device.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <fstream>
#include <optional>

#include "core/base/error.h"
#include "core/base/log.h"

namespace faststar {
namespace {

std::atomic<Kernels> kernel_choice = Kernels::automatic;

at::Device cuda_device(int index) {
  const auto [gpus, why] = cuda::list_gpus();
  if (gpus.empty())
    fail(ErrorKind::device, fmt::format("--device cuda: {}", why), "--device cpu runs without a GPU, slowly");
  if (index >= static_cast<int>(gpus.size())) {
    fail(ErrorKind::device,
         fmt::format("--device cuda:{}: expected 0 to {}, {} GPU(s) found", index, gpus.size() - 1, gpus.size()),
         "faststar --list-devices");
  }
  const cuda::Gpu& gpu = gpus[static_cast<size_t>(index)];
  const std::string built = cuda::built_architectures();
  if (!runs_on(built, gpu.capability)) {
    fail(ErrorKind::device,
         fmt::format("--device cuda:{}: {} has architecture {}, this faststar was built for {}", index, gpu.name,
                     gpu.capability, built),
         fmt::format("build with -DCMAKE_CUDA_ARCHITECTURES={}, or use --device cpu", gpu.capability));
  }
  at::globalContext().lazyInitDevice(at::kCUDA);
  return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
}

at::Device pick_any_device() {
  const auto [gpus, why] = cuda::list_gpus();
  if (!gpus.empty()) return cuda_device(0);
  if (why.starts_with("driver ")) log::warn("{}: using the CPU", why);  // there is a GPU, and it could be used
  return at::Device(at::kCPU);
}

}  // namespace

void set_kernels(Kernels kernels) { kernel_choice = kernels; }

Kernels current_kernels() { return kernel_choice; }

bool kernels_take(const Tensor& input) {
  const bool supported =
      input.scalar_type() == at::kFloat || input.scalar_type() == at::kBFloat16 || !input.is_floating_point();
  return input.is_cuda() && supported && kernel_choice == Kernels::automatic;
}

bool needs_gradient(std::initializer_list<Tensor> inputs) {
  return c10::GradMode::is_enabled() && std::any_of(inputs.begin(), inputs.end(), [](const Tensor& input) {
           return input.defined() && input.requires_grad();
         });
}

bool use_kernels(const Tensor& input) { return kernels_take(input) && !needs_gradient({input}); }

cuda::FloatType float_type(const Tensor& input) {
  if (input.scalar_type() == at::kFloat) return cuda::FloatType::float32;
  TORCH_CHECK(input.scalar_type() == at::kBFloat16, "kernels take float32 and bfloat16, not ", input.dtype());
  return cuda::FloatType::bfloat16;
}

Tensor kernel_operand(const Tensor& tensor) {
  if (!tensor.defined()) return tensor;
  const Tensor dense = tensor.contiguous();
  return reinterpret_cast<uintptr_t>(dense.const_data_ptr()) % 16 == 0 ? dense : dense.clone();
}

cuda::Stream kernel_stream(std::initializer_list<Tensor> operands) {
  std::optional<at::Device> device;
  for (const Tensor& operand : operands) {
    if (!operand.defined()) continue;
    TORCH_CHECK(operand.is_contiguous(), "a kernel's operand is not contiguous: ", operand.sizes(), " with strides ",
                operand.strides());
    if (!device) device = operand.device();
    TORCH_CHECK(operand.is_cuda() && operand.device() == *device, "a kernel's operands are on ", *device, " and ",
                operand.device());
  }
  TORCH_CHECK(device, "a kernel without operands");
  return cuda::current_stream(device->index());
}

bool runs_on(std::string_view architectures, int capability) {
  while (!architectures.empty()) {
    const std::string_view entry = architectures.substr(0, architectures.find(','));
    architectures.remove_prefix(std::min(entry.size() + 1, architectures.size()));
    int number = 0;
    const char* const suffix = std::from_chars(entry.data(), entry.data() + entry.size(), number).ptr;
    const bool exact = suffix != entry.data() + entry.size() && *suffix == 'a';
    if (exact ? number == capability : number / 10 == capability / 10 && number <= capability) return true;
  }
  return false;
}

at::Device pick_device(const std::string& text) {
  if (text.empty()) return pick_any_device();
  if (text == "cpu") return at::Device(at::kCPU);
  if (text == "cuda") return cuda_device(0);
  int index = -1;
  if (text.starts_with("cuda:")) {
    const char* end = text.data() + text.size();
    const auto [parsed, error] = std::from_chars(text.data() + 5, end, index);
    if (error != std::errc() || parsed != end) index = -1;
  }
  if (index < 0) fail(ErrorKind::usage, fmt::format("--device {}: expected cpu, cuda or cuda:N", text));
  return cuda_device(index);
}

int gpu_capability(at::Device device) {
  static const std::vector<cuda::Gpu> gpus = cuda::list_gpus().gpus;
  const auto index = static_cast<size_t>(device.index() < 0 ? 0 : device.index());
  return index < gpus.size() ? gpus[index].capability : 0;
}

std::string device_name(at::Device device) {
  if (device.is_cpu()) return "cpu";
  const auto gpus = cuda::list_gpus().gpus;
  const auto index = static_cast<size_t>(device.index());
  return index < gpus.size() ? gpus[index].name : "a GPU that is not here";
}

std::string cpu_name() {
  std::ifstream lines("/proc/cpuinfo");
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("model name")) continue;
    const size_t begin = line.find_first_not_of(" \t", line.find(':') + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

int64_t usable_device_bytes(at::Device device) { return device.is_cuda() ? cuda::usable_bytes(device.index()) : 0; }

void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the largest that glibc takes
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
}

bool cpu_has_bfloat16() { return __builtin_cpu_supports("avx512bf16") != 0; }

void set_up_backends() {
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setSDPUseCuDNN(false);
}

BackendScope::BackendScope(Kernels kernels)
    : kernels_(current_kernels()),
      tf32_products_(at::globalContext().allowTF32CuBLAS()),
      tf32_convolutions_(at::globalContext().allowTF32CuDNN()),
      cudnn_attention_(at::globalContext().userEnabledCuDNNSDP()) {
  set_kernels(kernels);
  set_up_backends();
}

BackendScope::~BackendScope() {
  set_kernels(kernels_);
  at::globalContext().setAllowTF32CuBLAS(tf32_products_);
  at::globalContext().setAllowTF32CuDNN(tf32_convolutions_);
  at::globalContext().setSDPUseCuDNN(cudnn_attention_);
}

ConvolutionScope::ConvolutionScope(ConvolutionBits bits) : tf32_before_(at::globalContext().allowTF32CuDNN()) {
  at::globalContext().setAllowTF32CuDNN(bits == ConvolutionBits::tf32);
}

ConvolutionScope::~ConvolutionScope() { at::globalContext().setAllowTF32CuDNN(tf32_before_); }

int64_t peak_device_bytes(at::Device device) {
  constexpr auto kAllPools = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  return device.is_cuda() ? at::accelerator::getDeviceStats(device.index()).allocated_bytes[kAllPools].peak : 0;
}

void reset_peak_device_bytes(at::Device device) {
  if (device.is_cuda()) at::accelerator::resetPeakStats(device.index());
}

void synchronize(at::Device device) {
  if (device.is_cuda()) at::accelerator::synchronizeDevice(device.index());
}

void release_cached_memory(at::Device device) {
  if (device.is_cuda()) at::accelerator::emptyCache();
}

HostCopy::HostCopy(const Tensor& source) : host_(source.contiguous()) {
  if (source.is_cpu()) return;
  const Tensor dense = host_;
  host_ = at::empty(dense.sizes(), at::TensorOptions(dense.dtype()).device(at::kCPU).pinned_memory(true));
  wait_ = cuda::copy_to_host(host_, dense);
}

const Tensor& HostCopy::get() const {
  if (wait_) wait_();
  return host_;
}

}  // namespace faststar
