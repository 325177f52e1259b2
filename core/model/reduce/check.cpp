#include "core/model/reduce/check.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"

namespace faststar {
namespace {

void check_tome(const ToMeOptions& options) {
  const auto& stride = options.dst_stride;
  if (stride.size() == 3 && std::all_of(stride.begin(), stride.end(), [](int edge) { return edge >= 1; })) return;
  fail(ErrorKind::usage,
       fmt::format("tome.dst_stride: expected three numbers from 1 on (t, h, w), got {}", stride.size()));
}

void check_layers(const std::vector<int>& layers, const char* name) {
  if (layers.empty() || (layers.size() == 2 && layers[0] < layers[1])) return;
  fail(ErrorKind::usage, fmt::format("{}: expected [first, end) with first < end", name));
}

void check_odd(int size, const char* name) {
  if (size % 2 == 1) return;
  fail(ErrorKind::usage, fmt::format("{}: expected an odd number, got {}", name, size));
}

}  // namespace

void check_ratios(const std::vector<double>& ratios, size_t scales) {
  for (const double ratio : ratios) {
    if (ratio >= 0 && ratio <= 1) continue;
    const bool percent = ratio > 1 && ratio <= 100;
    fail(ErrorKind::usage, fmt::format("ratios: expected shares of the tokens from 0 to 1, got {}", ratio),
         percent ? fmt::format("{} -> {:.2f}", ratio, ratio / 100) : "");
  }
  if (ratios.size() == 1 || ratios.size() == scales) return;
  fail(ErrorKind::usage, fmt::format("ratios: expected 1 or {} (one a reduced scale), got {}", scales, ratios.size()));
}

void check_method_options(const ReductionSettings& settings) {
  check_tome(settings.tome);
  check_layers(settings.fastvar.layers, "fastvar.layers");
  check_layers(settings.sparsevar.mse_layers, "sparsevar.mse_layers");
  check_odd(settings.stepvar.pool, "stepvar.pool");
  check_odd(settings.stepvar.pool_t, "stepvar.pool_t");
}

void check_merge(const ToMeOptions& options, const Scale& scale, int64_t kept) {
  const int64_t sources = merge_sources(options, scale);
  if (scale.tokens() - kept <= sources) return;
  fail(ErrorKind::usage,
       fmt::format("ratios: tome can merge at most {:.4f} of the tokens of scale {}x{}x{}",
                   static_cast<double>(sources) / static_cast<double>(scale.tokens()), scale.t, scale.h, scale.w),
       "a larger tome.dst_stride, or smaller ratios");
}

int64_t merge_sources(const ToMeOptions& options, const Scale& scale) {
  if (options.matching == Matching::alternate) return scale.tokens() / 2;
  const auto cells = [&](int size, size_t axis) { return int64_t{size} / std::min(size, options.dst_stride[axis]); };
  return scale.tokens() - cells(scale.t, 0) * cells(scale.h, 1) * cells(scale.w, 2);
}

void check_scale_before(ReductionMethod method, int first_reduced) {
  const bool looks_back = method == ReductionMethod::fastvar || method == ReductionMethod::sparsevar;
  if (!looks_back || first_reduced > 0) return;
  fail(ErrorKind::usage, "scales: this method restores from the scale before the reduced ones, and there is none",
       "fewer scales");
}

void check_depth(const ReductionSettings& settings, int64_t layers) {
  const auto check = [&](const std::vector<int>& range, const char* name) {
    if (range.empty() || range[1] <= layers) return;
    fail(ErrorKind::usage, fmt::format("{}: expected layers below {} (the model's depth), got [{}, {})", name, layers,
                                       range[0], range[1]));
  };
  if (settings.method == ReductionMethod::fastvar) check(settings.fastvar.layers, "fastvar.layers");
  if (settings.method == ReductionMethod::sparsevar) check(settings.sparsevar.mse_layers, "sparsevar.mse_layers");
}

}  // namespace faststar
