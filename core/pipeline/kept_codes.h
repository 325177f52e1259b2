#pragma once
#include <filesystem>
#include <future>
#include <optional>
#include <string>

#include "core/pipeline/request.h"

namespace faststar {

/// The codes of a video on disk until the video is complete: whatever ends its decode, also a crash, the work of the
/// transformer is not lost. Written on a thread of their own, so that the decode need not wait.
class KeptCodes {
 public:
  /// What the codes are of: the whole video, or its first clips, the later ones being made.
  enum class Clips { all, first };
  /// Writes `codes` as <stem>.codes.safetensors beside `video`, or as the next free name. Where that folder does not
  /// take them, or has no room for them and `video_bytes` more, into the folder of temporary files. `decode_options`
  /// as decode_options().
  KeptCodes(const std::filesystem::path& video, SavedCodes codes, double video_bytes, std::string decode_options,
            Clips clips = Clips::all);
  /// Of codes that were written already, and stay.
  KeptCodes(const std::filesystem::path& file, std::string decode_options);
  /// Tells that the codes are kept, and how to decode them, unless release() was called.
  ~KeptCodes();
  KeptCodes(const KeptCodes&) = delete;
  KeptCodes& operator=(const KeptCodes&) = delete;

  /// The video is complete: removes the codes, unless they stay.
  void release();

 private:
  std::string decode_options_;
  int64_t first_frames_ = 0;  ///< that the codes are of; 0: all
  std::future<std::optional<std::filesystem::path>> file_;
  bool stays_ = false;
  bool released_ = false;
};

/// Writes the codes of the first clips of `output`, whose later ones were not made, as KeptCodes does, and tells how to
/// decode them. They stay.
void keep_finished_clips(const Request& request, const RequestedOutput& output, const SavedCodes& codes);

/// The options of `faststar decode` that make `output` of `request` from its codes; each begins with a space.
std::string decode_options(const Request& request, const RequestedOutput& output);

}  // namespace faststar
