#pragma once
#include <optional>
#include <string>

#include "core/base/progress.h"

namespace faststar {

/// Reports nowhere and never stops.
class SilentProgress final : public Progress {
 public:
  void plan(Stage, double) override {}
  void advance(Stage, double, std::string_view) override {}
  bool stop_requested() const override { return false; }
};

namespace test {

/// Asks to stop after some steps (of one stage, when one is given), and adds up what is reported.
class StopAfter final : public Progress {
 public:
  explicit StopAfter(int steps, std::optional<Stage> counted = {}) : left_(steps), counted_(counted) {}
  void plan(Stage, double cost) override { planned += cost; }
  void advance(Stage stage, double cost, std::string_view detail) override {
    done += cost;
    last = detail;
    if (stage == counted_.value_or(stage)) --left_;
  }
  bool stop_requested() const override { return left_ <= 0; }

  double planned = 0;
  double done = 0;
  std::string last;  ///< the newest detail

 private:
  int left_;
  std::optional<Stage> counted_;
};

}  // namespace test
}  // namespace faststar
