#include "core/lab/evaluate/motion.h"

#include <cmath>
#include <functional>
#include <numbers>

#include "support/support.h"

namespace faststar {
namespace {

constexpr double kHeight = 100;  // pixels
constexpr int kTimes = 9;        // over two seconds

/// A rectangle of pixels around (x, y).
Blob rectangle(double x, double y, int width, int height) {
  Blob blob;
  for (int i = 0; i < height; ++i) {
    for (int k = 0; k < width; ++k) {
      blob.pixels.push_back(
          {static_cast<int>(std::lround(x)) + k - width / 2, static_cast<int>(std::lround(y)) + i - height / 2});
    }
  }
  blob.x = x;
  blob.y = y;
  return blob;
}

/// A thing whose place and size follow from the time, 0 to 1.
Track track_of(const std::function<Blob(double)>& at) {
  Track track;
  for (int i = 0; i < kTimes; ++i) track.emplace_back(at(static_cast<double>(i) / (kTimes - 1)));
  return track;
}

Track moving(double dx, double dy) {
  return track_of([=](double time) { return rectangle(80 + dx * time, 50 + dy * time, 20, 20); });
}

std::optional<Motion> first_half(const Track& track) { return read_motion(track, kHeight, ClipPart::first_half); }

TEST_CASE("straight ways are told by their direction", "[evaluate]") {
  CHECK(first_half(moving(-60, 0)) == Motion::left);
  CHECK(first_half(moving(60, 3)) == Motion::right);
  CHECK(first_half(moving(0, -30)) == Motion::up);
  CHECK(first_half(moving(2, 30)) == Motion::down);
  CHECK(first_half(moving(-60, -28)) == Motion::up_left);
  CHECK(first_half(moving(60, 28)) == Motion::down_right);
}

TEST_CASE("what changes its size grows or shrinks", "[evaluate]") {
  const auto sized = [](int from, int to) {
    return track_of([=](double time) {
      const int edge = static_cast<int>(std::lround(from + (to - from) * time));
      return rectangle(80, 50, edge, edge);
    });
  };
  CHECK(first_half(sized(10, 30)) == Motion::grow);
  CHECK(first_half(sized(30, 10)) == Motion::shrink);
  CHECK(first_half(sized(20, 22)) == Motion::still);
}

TEST_CASE("what comes back circles or bounces", "[evaluate]") {
  const double turn = 2 * std::numbers::pi;
  CHECK(first_half(track_of([&](double time) {
          return rectangle(80 + 20 * std::cos(turn * time), 50 + 20 * std::sin(turn * time), 20, 20);
        })) == Motion::circle);
  CHECK(first_half(track_of([&](double time) {
          return rectangle(80, 80 - 36 * std::abs(std::sin(turn * time)), 20, 20);
        })) == Motion::bounce);
}

TEST_CASE("what stays but turns spins", "[evaluate]") {
  int frame = 0;
  CHECK(first_half(track_of([&](double) {
          const bool lying = ++frame % 3 == 0;
          return rectangle(80, 50, lying ? 30 : 14, lying ? 14 : 30);
        })) == Motion::spin);
  CHECK(first_half(moving(0, 0)) == Motion::still);
}

TEST_CASE("the second half of a long clip counts slower motion", "[evaluate]") {
  CHECK(read_motion(moving(0, 7), kHeight, ClipPart::second_half) == Motion::down);
  CHECK(first_half(moving(0, 7)) == Motion::still);
}

TEST_CASE("what is mostly not there has no motion", "[evaluate]") {
  Track track = moving(60, 0);
  for (int i = 0; i < 4; ++i) track[static_cast<size_t>(2 * i)].reset();
  CHECK_FALSE(first_half(track).has_value());
}

}  // namespace
}  // namespace faststar
