#include "core/model/reduce/partial_update.h"

#include <ATen/ATen.h>

#include "core/base/device.h"
#include "core/model/pyramid/codes.h"
#include "core/model/reduce/token_grid.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

/// Smallest share of drawn tokens that `normalized` divides by.
constexpr double kMinWeight = 0.25;

Scale full_scale_of(const Tensor& summed) {
  return {static_cast<int>(summed.size(2)), static_cast<int>(summed.size(3)), static_cast<int>(summed.size(4))};
}

/// How much of a position's upsampled code comes from drawn tokens: [1, 1, t, H, W].
Tensor drawn_weight(const Tensor& token_mask, const Scale& full) {
  const Tensor mask = token_mask.to(at::kFloat).unsqueeze(0);  // frames are channels of a picture
  return at::upsample_bilinear2d(mask, {full.h, full.w}, /*align_corners=*/false).unsqueeze(1).clamp_min(kMinWeight);
}

/// The codes that are upsampled.
Tensor source_codes(const MaskedCodes& update, UpdateBoundary boundary) {
  if (boundary != UpdateBoundary::nn_fill) return update.codes;
  return update.codes.flatten(2).index_select(2, nearest_marked(update.token_mask)).view_as(update.codes);
}

Tensor run_kernel(const Tensor& summed, const Tensor& codes, const Tensor& feature_mask) {
  Tensor updated = at::empty_like(summed);
  cuda::partial_update({.updated = updated.data_ptr<float>(),
                        .summed = summed.const_data_ptr<float>(),
                        .codes = codes.const_data_ptr<float>(),
                        .feature_mask = feature_mask.const_data_ptr<uint8_t>(),
                        .frames = summed.size(2),
                        .height = summed.size(3),
                        .width = summed.size(4),
                        .bits = codes.size(1),
                        .rows = codes.size(3),
                        .columns = codes.size(4)},
                       kernel_stream({summed, codes, feature_mask}));
  return updated;
}

}  // namespace

Tensor reference::partial_update(const Tensor& summed, const MaskedCodes& update, UpdateBoundary boundary) {
  const Scale full = full_scale_of(summed);
  Tensor increment = upsample_codes(source_codes(update, boundary), full);
  if (boundary == UpdateBoundary::normalized) increment = increment / drawn_weight(update.token_mask, full);
  return at::where(update.feature_mask.gt(0), summed + increment, summed);
}

Tensor partial_update(const Tensor& summed, const MaskedCodes& update, UpdateBoundary boundary) {
  TORCH_CHECK(summed.dim() == 5 && update.codes.dim() == 5 && summed.scalar_type() == at::kFloat &&
                  update.codes.scalar_type() == at::kFloat,
              "partial_update: summed [1, 64, t, H, W] and codes [1, d, t, h, w], float32");
  if (use_kernels(summed) && boundary != UpdateBoundary::normalized) {
    return run_kernel(summed.contiguous(), source_codes(update, boundary).contiguous(),
                      update.feature_mask.contiguous());
  }
  return reference::partial_update(summed, update, boundary);
}

}  // namespace faststar
