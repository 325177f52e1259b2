#pragma once
#include <c10/util/Exception.h>

#include <map>
#include <optional>
#include <string>
#include <utility>

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

/// Memory is exhausted at some reports of one stage.
class NoMemoryIn final : public Progress {
 public:
  /// At the first `times` reports whose detail holds `detail`.
  NoMemoryIn(Stage stage, std::string detail, int times) : stage_(stage), detail_(std::move(detail)), left_(times) {}
  void plan(Stage stage, double cost) override { planned_[stage] += cost; }
  void advance(Stage stage, double cost, std::string_view detail) override {
    done_[stage] += cost;
    if (stage != stage_ || left_ == 0 || detail.find(detail_) == detail.npos) return;
    --left_;
    TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory");
  }
  bool stop_requested() const override { return false; }
  bool has_thrown_all() const { return left_ == 0; }
  double share(Stage stage) const { return done_.at(stage) / planned_.at(stage); }

 private:
  std::map<Stage, double> planned_, done_;
  Stage stage_;
  std::string detail_;
  int left_;
};

}  // namespace test
}  // namespace faststar
