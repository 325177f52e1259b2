#include "core/model/star/guidance_reuse.h"

#include <ATen/ATen.h>

namespace faststar {

GuidanceRows::GuidanceRows(const GuidanceSettings& settings, const Schedule& schedule)
    : all_(settings.scale == 1 ? 1 : 2), first_clip_(schedule.first_video_clip()) {
  const GuidanceReuse reuse = settings.reuse.passes;
  repetitions_ = reuse == GuidanceReuse::repetitions || reuse == GuidanceReuse::full;
  const bool late = reuse == GuidanceReuse::late || reuse == GuidanceReuse::full;
  if (late) scales_ = chosen_flags(settings.reuse.scales, schedule, "guidance_reuse_scales");
}

int64_t GuidanceRows::of(const Step& step) const {
  const bool late = !scales_.empty() && scales_[static_cast<size_t>(step.scale)];
  const bool repeated = repetitions_ && step.repetition > 0 && step.clip >= first_clip_;
  return late || repeated ? 1 : all_;
}

void PassTotals::add(const GuidanceRows& rows, const Step& step, int64_t pass_tokens, int64_t pass_kept) {
  ++passes;
  tokens += pass_tokens;
  kept += pass_kept;
  computed_rows += rows.of(step) * pass_kept;
  all_rows += rows.all() * pass_tokens;
  if (!rows.reuses(step)) return;
  ++one_row_passes;
  one_row_tokens += pass_kept;
}

void CarriedGuidance::keep(int clip, const Scale& scale, const Tensor& difference, const Tensor& drawn) {
  Tensor all = difference;
  if (drawn.defined()) {
    const Tensor before = whole(clip, scale, difference.size(1));
    all = before.defined() ? before : difference.new_zeros({scale.tokens(), difference.size(1)});
    all = all.index_copy(0, drawn, difference);
  }
  clip_ = clip;
  scale_ = scale;
  difference_ = all;
}

Tensor CarriedGuidance::at(int clip, const Scale& scale, int64_t channels, const Tensor& drawn) const {
  const Tensor all = whole(clip, scale, channels);
  return all.defined() && drawn.defined() ? all.index_select(0, drawn) : all;
}

Tensor CarriedGuidance::whole(int clip, const Scale& scale, int64_t channels) const {
  if (clip != clip_ || difference_.size(1) != channels) return {};
  if (scale == scale_) return difference_;
  const Tensor maps = difference_.view({scale_.t, scale_.h, scale_.w, channels}).permute({0, 3, 1, 2});
  return at::upsample_bilinear2d(maps, {scale.h, scale.w}, /*align_corners=*/false)
      .permute({0, 2, 3, 1})
      .reshape({scale.tokens(), channels});
}

}  // namespace faststar
