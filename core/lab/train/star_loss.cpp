#include "core/lab/train/star_loss.h"

#include <ATen/ATen.h>

#include "core/model/vae/architecture.h"

namespace faststar {

Tensor objects_in_features(const Tensor& coverage) {
  constexpr int64_t kSeen = 2 * kFramesPerLatent;
  const Tensor since_start = at::constant_pad_nd(coverage, {0, 0, 0, 0, kSeen - 1, 0});
  return at::max_pool3d(since_start, {kSeen, kPixelsPerFeature, kPixelsPerFeature},
                        {kFramesPerLatent, kPixelsPerFeature, kPixelsPerFeature})
      .squeeze(1);
}

Tensor scale_loss(const Tensor& logits, const Tensor& bits, const Scale& scale, const Tensor& objects, double object) {
  const Tensor truth = bits.to(at::kFloat);
  if (object == 0) return at::binary_cross_entropy_with_logits(logits, truth);
  const Tensor seen = std::get<0>(at::adaptive_max_pool2d(objects, {scale.h, scale.w}));
  const Tensor weight = (seen * object + 1).flatten(1).unsqueeze(-1);  // [B, t h w, 1]
  return at::binary_cross_entropy_with_logits(logits, truth, weight / weight.mean());
}

}  // namespace faststar
