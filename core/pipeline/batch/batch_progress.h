#pragma once
#include <map>
#include <string>

#include "core/base/progress.h"

namespace faststar {

/// The progress of a whole batch, weighted by what each item costs. An item's costs are announced to the display before
/// the first one starts; while it runs, its own announcements are held back and its advances passed on.
class BatchProgress final : public Progress {
 public:
  explicit BatchProgress(Progress& display) : display_(display) {}

  /// Costs that `plan` receives until the next call belong to item `file`, and are shown at once.
  void begin_announcing(const std::string& file) { announced_ = &costs_[file]; }
  /// From now on `advance` tells of this item; `label` ("item 3/60") goes before the detail.
  void begin(const std::string& file, std::string label);
  /// The item will cost nothing more: finished, failed for good, or made by another process.
  void settle(const std::string& file);

  void plan(Stage stage, double cost) override;
  void advance(Stage stage, double cost, std::string_view detail) override;
  bool stop_requested() const override { return display_.stop_requested(); }

 private:
  using Costs = std::map<Stage, double>;  ///< still to come
  Progress& display_;
  std::map<std::string, Costs> costs_;
  Costs* announced_ = nullptr;
  Costs* running_ = nullptr;
  std::string label_;
};

}  // namespace faststar
