#include "core/base/device.h"

#include <ATen/Context.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>

#include "core/base/error.h"
#include "core/base/log.h"
#include "cuda/runtime.h"

namespace faststar {
namespace {

std::atomic<Kernels> kernel_choice = Kernels::automatic;

at::Device cuda_device(int index) {
  std::string why;
  const auto gpus = list_gpus(&why);
  if (gpus.empty())
    fail(ErrorKind::device, fmt::format("--device cuda: {}", why), "--device cpu runs without a GPU, slowly");
  if (index >= static_cast<int>(gpus.size())) {
    fail(ErrorKind::device,
         fmt::format("--device cuda:{}: expected 0 to {}, {} GPU(s) found", index, gpus.size() - 1, gpus.size()),
         "faststar --list-devices");
  }
  if constexpr (kBuiltWithCuda) cuda::check_architecture(index);
  at::globalContext().lazyInitDevice(at::kCUDA);
  return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
}

at::Device pick_any_device() {
  std::string why;
  if (!list_gpus(&why).empty()) return cuda_device(0);
  if (why.starts_with("driver ")) log::warn("{}: the CPU is used", why);  // there is a GPU, and it could be used
  return at::Device(at::kCPU);
}

}  // namespace

void set_kernels(Kernels kernels) { kernel_choice = kernels; }

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
  return input.scalar_type() == at::kFloat ? cuda::FloatType::float32 : cuda::FloatType::bfloat16;
}

std::vector<GpuInfo> list_gpus(std::string* why_none) {
  if constexpr (kBuiltWithCuda) {
    return cuda::list_gpus(why_none);
  } else {
    if (why_none) *why_none = "this faststar was built without CUDA";
    return {};
  }
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

std::string device_name(at::Device device) {
  if (device.is_cpu()) return "cpu";
  return list_gpus().at(static_cast<size_t>(device.index())).name;
}

int64_t usable_device_bytes(at::Device device) {
  if constexpr (kBuiltWithCuda) {
    if (device.is_cuda()) return cuda::usable_bytes(device.index());
  }
  return 0;
}

bool cpu_has_bfloat16() { return __builtin_cpu_supports("avx512bf16") != 0; }

void set_up_backends() {
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setSDPUseCuDNN(false);
}

int64_t peak_device_bytes(at::Device device) {
  if constexpr (kBuiltWithCuda) {
    if (device.is_cuda()) return cuda::peak_bytes(device.index());
  }
  return 0;
}

void reset_peak_device_bytes(at::Device device) {
  if constexpr (kBuiltWithCuda) {
    if (device.is_cuda()) cuda::reset_peak_bytes(device.index());
  }
}

void synchronize(at::Device device) {
  if constexpr (kBuiltWithCuda) {
    if (device.is_cuda()) cuda::synchronize(device.index());
  }
}

void release_cached_memory(at::Device device) {
  if constexpr (kBuiltWithCuda) {
    if (device.is_cuda()) cuda::release_cached_memory();
  }
}

}  // namespace faststar
