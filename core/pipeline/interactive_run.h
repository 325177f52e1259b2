#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/pipeline/run.h"

namespace faststar {

/// A finished file of an interactive run.
struct InteractiveFile {
  std::filesystem::path file;
  int64_t frames = 0;
  std::string settings_json;
  std::map<std::string, double, std::less<>> seconds;  ///< by stage name; of the joined file, what all clips took
};

/// A video made clip by clip: each clip continues the one before, with a prompt of its own. Every clip is a file of its
/// own as soon as it is made; a joined file shows each frame once.
/// Source: tools/infer_interact_480p.py and ar_infer_infinity_star_interact of infinity/models/infinity.py.
class InteractiveRun {
 public:
  /// `shared` is make_interactive_request() of `config`. Its output is the joined file; clips are called <name>-000,
  /// -001, ... beside it. All clips are sampled with the output's seed, as the official script does. With a source,
  /// that video's last clip is clip 0, as the VAE reconstructs it; without, clip 0 is made from text alone.
  /// `pipeline` is referred to and must outlive the run.
  InteractiveRun(Pipeline& pipeline, Request shared, Config config);

  /// The number of the clip that is made next, from 0: clip 0 of a source is the source.
  int next_clip() const { return shared_.source && clip_ == 0 ? 1 : clip_; }
  /// What can be found out before weights load: how long the next clip takes. Throws as make_plan, and Error(output)
  /// when a clip's name is taken.
  std::optional<TimeEstimate> check(const std::string& prompt) const;
  /// Makes the next clip; the first time with a source, clip 0 as well. `prompt` is a checked_prompt(). Returns the
  /// files made. Throws Error(interrupted) when `progress` asks to stop; the clips before stay.
  std::vector<InteractiveFile> step(const std::string& prompt, Progress& progress);
  /// Completes the joined file and returns it; nothing before the first clip.
  std::optional<InteractiveFile> finish();
  /// Most device memory of any stage so far; 0 on the CPU.
  int64_t peak_bytes() const { return peak_bytes_; }

 private:
  struct CurrentStep;

  Request next_request(const std::string& prompt) const;
  std::filesystem::path clip_file(int clip) const;
  std::vector<InteractiveFile> make_clip(const std::string& prompt, Progress& progress);
  void continue_clip(CurrentStep& current);
  void show(CurrentStep& current, const Tensor& codes, const ShownFrames& shown);

  Pipeline& pipeline_;
  Request shared_;
  Config config_;
  int clip_ = 0;
  Tensor former_;  ///< [1, 64, 1 + latents per clip, H, W]: the features that the next clip continues
  Tensor first_;   ///< [1, 64, 1, H, W]: the first frame of the whole run
  std::optional<VideoOutput> joined_;
  InteractiveFile joined_file_;  ///< as far as it is made
  int64_t peak_bytes_ = 0;
};

}  // namespace faststar
