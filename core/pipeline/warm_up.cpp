#include "core/pipeline/warm_up.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "core/base/device.h"
#include "core/base/weights/weights.h"

namespace faststar {
namespace {

/// The schedule of an image of the size that `schedule` makes.
Schedule image_schedule(const Schedule& schedule) {
  std::vector<Scale> scales(schedule.scales().begin(), schedule.scales().begin() + schedule.scales_per_clip());
  for (Scale& scale : scales) scale.t = 1;
  return Schedule(std::move(scales));
}

/// One pass for each scale.
GenerationSettings plain_settings(GenerationSettings settings, const Schedule& schedule, LinearPrecision linears) {
  settings.reduction = {};
  settings.guidance.reuse = {};
  settings.repetitions.image.assign(static_cast<size_t>(schedule.scales_per_clip()), 1);
  settings.repetitions.video = settings.repetitions.image;
  settings.linears = linears;
  settings.fp8_scales.reset();
  return settings;
}

void warm_up_transformer(const WarmUpWork& work) {
  StarArchitecture star = work.star;
  star.layers = star.chunks = 1;
  const StarTransformer layer(Weights(make_random_weights(0), work.device, work.dtype), star);
  const Schedule image = image_schedule(work.schedule);
  constexpr int64_t kTextTokens = 32;
  const GenerationInput input{.text = {.cond = at::zeros({std::min(kTextTokens, star.max_text_length), star.text_width},
                                                         at::TensorOptions(work.device).dtype(at::kFloat)),
                                       .uncond = {}}};
  for (const LinearPrecision linears : {LinearPrecision::backbone, LinearPrecision::fp8}) {
    // A transformer that has both runs both.
    if (star.linears != LinearPrecision::both && star.linears != linears) continue;
    generate(layer, image, plain_settings(work.settings, image, linears), input);
  }
}

void warm_up_decoder(const WarmUpWork& work) {
  const int64_t channels = work.vae.block_out_channels.back();
  const auto options = at::TensorOptions(work.device).dtype(work.dtype);
  const auto innermost = at::MemoryFormat::ChannelsLast3d;
  at::conv3d(at::zeros({1, channels, 4, 16, 16}, options).contiguous(innermost),
             at::zeros({channels, channels, 3, 3, 3}, options).contiguous(innermost));
}

}  // namespace

void warm_up(const WarmUpWork& work) {
  if (work.device.is_cpu()) return;
  try {
    const c10::InferenceMode inference;
    const c10::DeviceGuard device(work.device);
    const c10::impl::VirtualGuardImpl gpu(work.device.type());
    const c10::Stream own = gpu.getStreamFromGlobalPool(work.device, /*isHighPriority=*/false);
    const c10::StreamGuard stream(own);
    warm_up_transformer(work);
    warm_up_decoder(work);
    own.synchronize();
  } catch (const std::exception&) {
    // Above all: memory was short.
  }
}

}  // namespace faststar
