#pragma once
#include <string>
#include <vector>

#include "core/lab/study/results.h"

namespace faststar {

/// Of this many first prompts the results hold frames of every variant.
inline constexpr int64_t kPromptsShown = 3;

/// False, with a warning, where this FFmpeg has no JPEG encoder: the page is then without frames.
bool can_keep_frames();

/// Frames evenly spaced over the clip, beside each other and small, as a data URI (see image_data_uri). The last one is
/// that of the clip; the first frame, which reduction does not change, is not among them. frames: uint8 [F, H, W, 3].
std::string frame_strip(const Tensor& frames);

/// What a page shows of one prompt.
struct ShownPrompt {
  struct Strip {
    std::string variant;
    std::string note;    ///< how near it is to the dense clip
    std::string frames;  ///< see frame_strip
  };
  int64_t index = 0;
  std::string text;
  uint64_t seed = 0;
  std::vector<Strip> strips;  ///< dense first
};

/// A page takes no more than this many bytes of pictures: it is one file, which people send.
inline constexpr size_t kMaxShownBytes = size_t{6} << 20;

/// The prompts whose frames are shown, as many as `max_bytes` has room for.
struct ShownPrompts {
  std::vector<ShownPrompt> prompts;
  int64_t left_out = 0;  ///< prompts with frames for which there was no room
};
ShownPrompts shown_prompts(const std::vector<StudyRecord>& records, size_t max_bytes = kMaxShownBytes);

}  // namespace faststar
