#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/progress.h"
#include "core/pipeline/outputs.h"
#include "core/pipeline/run_stages.h"

namespace faststar {

/// What one clip of a story is made from.
struct StoryLine {
  std::string prompt;         ///< as written
  std::string model_prompt;   ///< what the tokenizer gets
  std::string settings_json;  ///< for the metadata of the clip
};

/// A story told clip by clip: each goes on from the one before, as its own prompt says. Every clip is a file of its
/// own as soon as it is made; a joined file shows each frame once.
/// Source: tools/infer_interact_480p.py and ar_infer_infinity_star_interact of infinity/models/infinity.py.
class Story {
 public:
  /// `shared` is a request without prompt. Its only output is the joined file; clips are called <name>-000, -001, ...
  /// beside it. All clips are drawn with the output's seed, as the official script does. With a source, that video's
  /// last clip is clip 0, as the VAE shows it; without, clip 0 is made from words alone.
  /// `model` is referred to and must outlive the story.
  Story(Model& model, Request shared);

  /// What can be found out before weights load. Throws as run_generation would until then,
  /// and Error(output) when a clip's name is taken.
  void check(const StoryLine& line) const;
  /// Makes the next clip; the first time with a source, clip 0 as well. Returns the files made.
  /// Throws Error(interrupted) when `progress` asks to stop; the clips before stay.
  std::vector<std::filesystem::path> tell(const StoryLine& line, Progress& progress);
  /// Completes the joined file and returns its name; nothing before the first clip.
  std::optional<std::filesystem::path> finish();

 private:
  struct Telling;

  Request job_of_next_clip(const StoryLine& line) const;
  std::filesystem::path clip_file(int clip) const;
  void begin_with_source(Telling& telling);
  void begin_with_words(Telling& telling);
  void go_on(Telling& telling);
  void show(Telling& telling, const Tensor& codes, const ShownFrames& shown);
  void join(const Telling& telling, const std::vector<Tensor>& frames);

  Model& model_;
  Request shared_;
  int clip_ = 0;
  Tensor former_;  ///< [1, 64, 1 + latents per clip, H, W]: the features that the next clip goes on from
  Tensor first_;   ///< [1, 64, 1, H, W]: the story's first frame
  std::optional<VideoOutput> joined_;
};

}  // namespace faststar
