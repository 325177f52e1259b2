#include "cli/about.h"

#include <fmt/format.h>
#include <torch/headeronly/version.h>

#include <string>

#include "cli/progress/result.h"
#include "core/base/device.h"
#include "core/base/log.h"
#include "cuda/runtime.h"

namespace faststar {

int print_version() {
  const std::string built = cuda::built_architectures();
  print_result(fmt::format("faststar {}\nLibTorch {}\nCUDA architectures: {}\n", FASTSTAR_VERSION, TORCH_VERSION,
                           built.empty() ? "none (built without CUDA)" : built));
  return 0;
}

int print_devices() {
  constexpr double kGiB = 1 << 30;
  std::string why_none;
  std::string lines = "cpu\n";
  int index = 0;
  for (const GpuInfo& gpu : list_gpus(&why_none)) {
    lines += fmt::format("cuda:{}  {}, compute capability {}.{}, {:.1f} GiB\n", index++, gpu.name, gpu.capability / 10,
                         gpu.capability % 10, static_cast<double>(gpu.total_bytes) / kGiB);
  }
  print_result(lines);
  if (index == 0) log::info("no GPU: {}", why_none);
  return 0;
}

}  // namespace faststar
