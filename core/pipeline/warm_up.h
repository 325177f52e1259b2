#pragma once
#include "core/model/star/generator.h"
#include "core/model/vae/architecture.h"

namespace faststar {

/// What a run will ask of a GPU.
struct WarmUpWork {
  StarArchitecture star;
  VaeArchitecture vae;
  at::Device device;
  at::ScalarType dtype;
  Schedule schedule;
  GenerationSettings settings;
};

/// Device memory that warm_up() takes while it works, in bytes, all that libraries load aside: one layer of 8B, and the
/// passes of an image at 720p.
inline constexpr int64_t kWarmUpBytes = 1'500'000'000;

/// Has libraries load and choose the kernels that a run needs, with small weights of its own: the passes of the image
/// clip through a transformer of one layer, in every precision that the run has, and a convolution of the decoder. On a
/// stream of its own, so that it can run on a thread beside the loading of the real weights; waits for the GPU. What
/// fails, fails again where it matters: nothing is thrown. Does nothing on a CPU.
void warm_up(const WarmUpWork& work);

}  // namespace faststar
