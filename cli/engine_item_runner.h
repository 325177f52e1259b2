#pragma once
#include <map>
#include <set>
#include <string>

#include "core/config/resolve.h"
#include "core/model/text/tokenizer.h"
#include "core/pipeline/batch/run_batch.h"
#include "core/pipeline/engine.h"
#include "core/pipeline/job.h"

namespace faststar {

/// Makes the items of a batch on one engine: from words, from a picture or from a video, as each says.
class EngineItemRunner final : public ItemRunner {
 public:
  EngineItemRunner(Engine& engine, ResolvedSettings resolved);

  /// Throws what every item would fail with: a size that the model does not make, too little memory.
  void check(const BatchItem& item);
  void announce(const BatchItem& item, Progress& progress) override;
  ItemResult run(const BatchItem& item, const ItemFiles& files, Progress& progress) override;

 private:
  using Costs = std::map<Stage, double>;
  Costs estimate(const BatchItem& item);
  GenerateJob plan(const BatchItem& item, const ItemFiles& files) const;
  bool decode_saved_codes(const GenerateJob& job, Progress& progress);
  bool is_cut(const GenerateJob& job) const;

  Engine& engine_;
  ResolvedSettings resolved_;
  Tokenizer tokenizer_;
  std::map<FieldTexts, Costs> costs_;            ///< by kind of item
  std::set<std::string, std::less<>> warnings_;  ///< shown already
};

}  // namespace faststar
