#pragma once
#include <map>
#include <set>
#include <string>

#include "core/pipeline/batch/run_batch.h"
#include "core/pipeline/run.h"

namespace faststar {

/// Makes the items of a batch with one pipeline: text to video, image to video or a continued video. An item
/// becomes a request, a request a plan, a plan a file.
class PipelineRunner final : public ItemRunner {
 public:
  /// `pipeline` is referred to and must outlive the runner.
  PipelineRunner(Pipeline& pipeline, ResolvedSettings resolved);

  /// Throws what every item would fail with: a size that the model does not support, too little memory.
  void check(const BatchItem& item);
  std::map<Stage, double> costs_of(const BatchItem& item) override;
  /// Of those of `items` that can be made, one after the other.
  struct TotalTime {
    int64_t videos = 0;
    std::optional<TimeEstimate> time;  ///< none where the device's rates are not known, and for no video
  };
  TotalTime time_of(const std::vector<BatchItem>& items);
  /// Why `item` cannot be made, as far as that shows before weights load; empty when it can. Reads its input files.
  std::string problem_of(const BatchItem& item);
  RunResult run(const BatchItem& item, const ItemFiles& files, Progress& progress) override;

 private:
  Request request_of(const BatchItem& item, const ItemFiles& files) const;
  Plan plan_of(const BatchItem& item, const ItemFiles& files) const;
  /// What the items of a kind cost.
  struct Estimate {
    std::map<Stage, double> costs;
    std::optional<TimeEstimate> time;
  };
  /// That of the item's kind, planned once; null when the item cannot be planned.
  const Estimate* estimate_of(const BatchItem& item);
  /// The plan of an item that is not made now.
  Plan estimate(const BatchItem& item) const;
  std::optional<SavedCodes> saved_codes(const Request& request) const;

  Pipeline& pipeline_;
  ResolvedSettings resolved_;
  std::map<FieldTexts, Estimate> estimates_;     ///< by kind of item
  bool load_counted_ = false;                    ///< loading is in the costs of the first item alone
  std::set<std::string, std::less<>> warnings_;  ///< shown already
};

}  // namespace faststar
