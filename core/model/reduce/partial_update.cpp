#include "core/model/reduce/partial_update.h"

#include <ATen/ATen.h>

#include "core/base/device.h"
#include "core/model/pyramid/codes.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

Tensor partial_update_kernel(const Tensor& summed, const Tensor& codes, const Tensor& feature_mask) {
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

Tensor reference::partial_update(const Tensor& summed, const Tensor& codes, const Tensor& feature_mask) {
  const Scale full = {static_cast<int>(summed.size(2)), static_cast<int>(summed.size(3)),
                      static_cast<int>(summed.size(4))};
  return at::where(feature_mask.gt(0), summed + upsample_codes(codes, full), summed);
}

Tensor partial_update(const Tensor& summed, const Tensor& codes, const Tensor& feature_mask) {
  TORCH_CHECK(
      summed.dim() == 5 && codes.dim() == 5 && summed.scalar_type() == at::kFloat && codes.scalar_type() == at::kFloat,
      "partial_update: summed [1, 64, t, H, W] and codes [1, d, t, h, w], float32");
  if (use_kernels(summed)) {
    return partial_update_kernel(summed.contiguous(), codes.contiguous(), feature_mask.contiguous());
  }
  return reference::partial_update(summed, codes, feature_mask);
}

}  // namespace faststar
