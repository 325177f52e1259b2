#pragma once
#include <string>
#include <vector>

#include "core/lab/train/star_plan.h"
#include "core/lab/train/vae_stage.h"
#include "core/model/text/tokenizer.h"

namespace faststar {

/// Held-out captions, and the clips that networks in training make of them.
class StarSamples {
 public:
  /// Takes setting.sample_clips captions, each of at most `longest_text` tokens.
  StarSamples(const TrainSetting& setting, const StarPlan& plan, const Tokenizer& tokenizer, int64_t longest_text);

  /// The captions, one a line.
  const std::string& captions() const { return captions_; }

  /// A picture with a row of frames for each caption: an image clip and `video_clips` more.
  Tensor sheet(const BoundParameters& parameters, const VideoVae& vae, int video_clips) const;

 private:
  const TrainSetting& setting_;
  const StarPlan& plan_;
  std::string captions_;
  std::vector<Tensor> ids_;  // [T] int64 each
};

}  // namespace faststar
