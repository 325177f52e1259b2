#include "core/lab/evaluate/motion.h"

#include <algorithm>
#include <cmath>

namespace faststar {
namespace {

/// From where on a change is a motion. Lengths are frame heights.
struct Thresholds {
  double growth;    ///< ratio of the areas at the end and at the start
  double sideways;  ///< way between start and end
  double upright;
  double circle;  ///< a circle's path from its top to its bottom, or what is seen of it
};

Thresholds thresholds_of(ClipPart part) {
  switch (part) {
    case ClipPart::first_second: return {.growth = 1.3, .sideways = .10, .upright = .04, .circle = .07};
    case ClipPart::first_half: return {.growth = 1.8, .sideways = .12, .upright = .08, .circle = .14};
    case ClipPart::second_half: break;
  }
  return {.growth = 1.25, .sideways = .10, .upright = .05, .circle = .14};
}

/// A number over time.
class Curve {
 public:
  explicit Curve(std::vector<double> values) : values_(std::move(values)) {}
  double start() const { return (values_[0] + values_[1]) / 2; }
  double end() const { return (values_[values_.size() - 1] + values_[values_.size() - 2]) / 2; }
  double change() const { return end() - start(); }
  double range() const { return std::ranges::max(values_) - std::ranges::min(values_); }
  /// True when it ends nearer to where it began than `share` of its range.
  bool returns(double share) const { return std::abs(values_.back() - values_.front()) < share * range(); }

 private:
  std::vector<double> values_;
};

std::optional<Motion> straight_motion(double dx, double dy, const Thresholds& least) {
  constexpr double kSteepest = 4.5;  // way along over way across: more is no diagonal
  const bool sideways = std::abs(dx) > least.sideways;
  const bool upright = std::abs(dy) > least.upright && (!sideways || std::abs(dx) < kSteepest * std::abs(dy));
  if (sideways && upright) {
    if (dy < 0) return dx < 0 ? Motion::up_left : Motion::up_right;
    return dx < 0 ? Motion::down_left : Motion::down_right;
  }
  if (sideways) return dx < 0 ? Motion::left : Motion::right;
  if (upright) return dy < 0 ? Motion::up : Motion::down;
  return std::nullopt;
}

/// True when the outline turns: mostly, half a second later it does not cover itself, even with centres
/// aligned.
bool spins(const std::vector<const Blob*>& blobs, ClipPart part) {
  constexpr double kSame = .88;
  const auto half_second = static_cast<size_t>(8 / frames_of(part).step);
  size_t turned = 0, pairs = 0;
  for (size_t i = 0; i + half_second < blobs.size(); ++i, ++pairs) {
    if (centred_overlap(*blobs[i], *blobs[i + half_second]) < kSame) ++turned;
  }
  return 2 * turned > pairs;
}

}  // namespace

SeenFrames frames_of(ClipPart part) {
  constexpr int64_t kHalf = 32;
  return {.first = part == ClipPart::second_half ? kHalf : 0, .step = part == ClipPart::first_second ? 2 : 4};
}

std::optional<Motion> read_motion(const Track& track, double frame_height, ClipPart part) {
  std::vector<const Blob*> blobs;
  std::vector<double> xs, ys, areas;
  for (const auto& blob : track) {
    if (!blob) continue;
    blobs.push_back(&*blob);
    xs.push_back(blob->x / frame_height);
    ys.push_back(blob->y / frame_height);
    areas.push_back(blob->area());
  }
  if (3 * blobs.size() < 2 * track.size()) return std::nullopt;
  const Curve x(xs), y(ys), area(areas);
  const Thresholds least = thresholds_of(part);
  constexpr double kHop = .18, kAcross = .14;                                // smallest ranges
  const bool comes_round = part == ClipPart::first_second || x.returns(.5);  // a second is half a turn
  if (area.end() / area.start() > least.growth) return Motion::grow;
  if (area.start() / area.end() > least.growth) return Motion::shrink;
  if (x.range() > kAcross && y.range() > least.circle && comes_round && y.returns(.5)) return Motion::circle;
  if (y.range() > kHop && y.returns(.45) && std::abs(x.change()) < .12) return Motion::bounce;
  if (const auto straight = straight_motion(x.change(), y.change(), least)) return straight;
  return spins(blobs, part) ? Motion::spin : Motion::still;
}

}  // namespace faststar
