#include "core/lab/verify/comparison.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace faststar {

Comparison::Comparison(std::string name, double tolerance) {
  result_.name = std::move(name);
  result_.tolerance = tolerance;
  result_.verdict = Verdict::pass;
}

void Comparison::require(bool holds, const std::string& what) {
  if (holds || result_.verdict == Verdict::fail) return;
  result_.verdict = Verdict::fail;
  result_.reason = what;
}

std::optional<Comparison::Difference> Comparison::measure(const std::string& what, const Tensor& actual,
                                                          const Tensor& expected) {
  if (actual.sizes() != expected.sizes()) {
    require(false, fmt::format("{}: expected shape {}, got {}", what, shape_text(expected.sizes()),
                               shape_text(actual.sizes())));
    return std::nullopt;
  }
  if (expected.numel() == 0) return Difference{};
  const Tensor wide = expected.to(at::kCPU, at::kDouble);
  const Tensor difference = actual.to(at::kCPU, at::kDouble) - wide;
  const double absolute = difference.abs().max().item<double>();
  const double magnitude = wide.abs().max().item<double>();
  if (!std::isfinite(absolute)) {
    require(false, fmt::format("{}: some values are not finite", what));
    return std::nullopt;
  }
  if (magnitude == 0) return Difference{absolute, absolute, absolute};
  return Difference{absolute, absolute / magnitude, (difference.norm() / wide.norm()).item<double>()};
}

std::optional<Comparison::Difference> Comparison::record(const std::string& what, const Tensor& actual,
                                                         const Tensor& expected) {
  const auto difference = measure(what, actual, expected);
  if (difference) {
    result_.elements += expected.numel();
    result_.max_abs = std::max(result_.max_abs, difference->absolute);
    result_.max_rel = std::max(result_.max_rel, difference->relative);
    result_.norm_rel = std::max(result_.norm_rel, difference->of_norm);
  }
  return difference;
}

void Comparison::close(const std::string& what, const Tensor& actual, const Tensor& expected) {
  close(what, actual, expected, result_.tolerance);
}

void Comparison::close(const std::string& what, const Tensor& actual, const Tensor& expected, double tolerance) {
  const auto difference = record(what, actual, expected);
  if (!difference) return;
  require(difference->relative <= tolerance, fmt::format("{}: off by {:.2e} of the largest magnitude, allowed {:.2e}",
                                                         what, difference->relative, tolerance));
}

void Comparison::close_in_norm(const std::string& what, const Tensor& actual, const Tensor& expected) {
  const auto difference = record(what, actual, expected);
  result_.judged_by_norm = true;
  if (!difference) return;
  require(difference->of_norm <= result_.tolerance,
          fmt::format("{}: off by {:.2e} of the norm, allowed {:.2e}", what, difference->of_norm, result_.tolerance));
}

void Comparison::within(const std::string& what, const Tensor& actual, const Tensor& expected, double largest) {
  const auto difference = record(what, actual, expected);
  if (!difference) return;
  require(difference->absolute <= largest,
          fmt::format("{}: off by {:.2e}, allowed {:.2e}", what, difference->absolute, largest));
}

void Comparison::equal(const std::string& what, const Tensor& actual, const Tensor& expected) {
  within(what, actual, expected, 0);
}

void Comparison::frames(const std::string& what, const Tensor& actual, const Tensor& expected) {
  const auto difference = measure(what, actual, expected);
  if (!difference) return;
  require(difference->absolute <= 1, fmt::format("{}: off by {} levels, allowed 1", what, difference->absolute));
  const double share = actual.cpu().eq(expected.cpu()).to(at::kDouble).mean().item<double>();
  require(share >= kEqualShare, fmt::format("{}: {:.4f} of the values equal, expected {}", what, share, kEqualShare));
}

void Comparison::count_bits(const Tensor& actual, const Tensor& expected) {
  result_.bits += expected.numel();
  result_.bits_differing += actual.cpu().ne(expected.cpu()).sum().item<int64_t>();
}

void Comparison::bits(const std::string& what, const Tensor& actual, const Tensor& expected) {
  if (actual.sizes() != expected.sizes()) {
    return require(false, fmt::format("{}: expected bits {}, got {}", what, shape_text(expected.sizes()),
                                      shape_text(actual.sizes())));
  }
  const int64_t before = result_.bits_differing;
  count_bits(actual, expected);
  judged_bits_ += expected.numel();
  judged_differing_ += result_.bits_differing - before;
}

ComponentResult Comparison::result() const {
  Comparison judged = *this;
  if (judged_bits_ > 0) {
    const double share = 1 - static_cast<double>(judged_differing_) / static_cast<double>(judged_bits_);
    judged.require(share >= kEqualShare, fmt::format("{} of {} bits differ, expected at least {} equal",
                                                     judged_differing_, judged_bits_, kEqualShare));
  }
  return judged.result_;
}

}  // namespace faststar
