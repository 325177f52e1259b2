#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "core/base/tensor.h"

namespace faststar {

enum class Verdict { pass, fail, absent };

/// How far one component is from its fixture.
struct ComponentResult {
  std::string name;
  int64_t elements = 0;  ///< values compared
  double max_abs = 0;    ///< largest difference
  double max_rel = 0;    ///< largest difference over the largest magnitude of its tensor
  double norm_rel = 0;   ///< norm of the differences over that of their tensor, the largest of the tensors
  int64_t bits = 0;      ///< bits compared
  int64_t bits_differing = 0;
  double tolerance = 0;                     ///< relative, of the main quantity
  bool judged_by_norm = false;              ///< tolerance is that of norm_rel, else of max_rel
  std::optional<double> reference_max_rel;  ///< of the plain ATen path in the same run (bfloat16 on a GPU)
  Verdict verdict = Verdict::absent;
  std::string reason;  ///< the first check that failed; empty otherwise
};

/// Smallest fraction of bits, and of 8-bit frame values, that must be equal.
inline constexpr double kEqualShare = 0.999;

/// Gathers the checks of one component. Shapes that differ and values that are not finite fail.
class Comparison {
 public:
  Comparison(std::string name, double tolerance);

  /// Values within the component's tolerance of the largest magnitude of `expected`.
  void close(const std::string& what, const Tensor& actual, const Tensor& expected);
  void close(const std::string& what, const Tensor& actual, const Tensor& expected, double tolerance);
  /// The norm of the differences within the component's tolerance of that of `expected`: for arithmetic whose single
  /// errors are large and whose mean error is known.
  void close_in_norm(const std::string& what, const Tensor& actual, const Tensor& expected);
  /// Values at most `largest` apart.
  void within(const std::string& what, const Tensor& actual, const Tensor& expected, double largest);
  /// Values exactly equal.
  void equal(const std::string& what, const Tensor& actual, const Tensor& expected);
  /// 8-bit values at most one level apart and kEqualShare of them equal; not part of max_abs and max_rel.
  void frames(const std::string& what, const Tensor& actual, const Tensor& expected);
  /// Counts bits; result() requires kEqualShare of the component's bits to be equal.
  void bits(const std::string& what, const Tensor& actual, const Tensor& expected);
  /// Counts bits for information only.
  void count_bits(const Tensor& actual, const Tensor& expected);
  /// A check that is not about tensors.
  void require(bool holds, const std::string& what);

  ComponentResult result() const;

 private:
  struct Difference {
    double absolute = 0;
    double relative = 0;
    double of_norm = 0;
  };
  /// nullopt when shapes differ or values are not finite; that fails the component.
  std::optional<Difference> measure(const std::string& what, const Tensor& actual, const Tensor& expected);
  /// measure(), added to the result.
  std::optional<Difference> record(const std::string& what, const Tensor& actual, const Tensor& expected);

  ComponentResult result_;
  int64_t judged_bits_ = 0;
  int64_t judged_differing_ = 0;
};

}  // namespace faststar
