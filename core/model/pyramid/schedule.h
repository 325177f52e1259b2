#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace faststar {

/// One resolution of the pyramid in latent tokens: t frames of h x w (a token is 16 x 16 pixels, 4 frames).
struct Scale {
  int t = 1;
  int h = 1;
  int w = 1;
  int64_t tokens() const { return int64_t{t} * h * w; }
  bool operator==(const Scale&) const = default;
};

/// How often each scale of a clip runs, coarsest first; one entry per scale.
struct Repetitions {
  std::vector<int> image;  ///< the first clip (one latent frame)
  std::vector<int> video;  ///< every later clip

  /// The same with `last` for the last scales of every video clip. Throws Error(usage) when there are fewer scales.
  Repetitions with_last(const std::vector<int>& last) const;
};

/// One transformer pass over the visual tokens.
struct Step {
  int index = 0;  ///< over the whole run: the global repetition g of RoPE and of `bits.NNN`
  int clip = 0;
  int scale = 0;  ///< absolute, over all clips
  int repetition = 0;
  bool last_repetition = false;
};

/// Latent frames [begin, end) of the whole video.
struct FrameRange {
  int begin = 0;
  int end = 0;
};

/// The first clip of a schedule: an image, or a clip that continues one outside the schedule.
enum class FirstClip { image, continuation };

/// The scales of a run in order, clip after clip: which steps run, and which earlier scale each attends to.
/// Source: infinity/schedules/dynamic_resolution.py and infinity_elegant.py (get_scale_pack_info).
class Schedule {
 public:
  /// Any list of clips with equal (h, w) pyramids. Throws Error(usage) when the clips do not line up.
  explicit Schedule(std::vector<Scale> scales, FirstClip first = FirstClip::image);

  /// The first clip that is no image: 1, or 0 when the first clip is a continuation.
  int first_video_clip() const { return first_clip_ == FirstClip::image ? 1 : 0; }
  const std::vector<Scale>& scales() const { return scales_; }
  int scales_per_clip() const { return scales_per_clip_; }
  int clips() const { return static_cast<int>(scales_.size()) / scales_per_clip_; }
  int clip_of(int scale) const { return scale / scales_per_clip_; }
  int index_in_clip(int scale) const { return scale % scales_per_clip_; }
  bool is_last_of_clip(int scale) const { return index_in_clip(scale) == scales_per_clip_ - 1; }
  /// The full-resolution scale of a clip: the size of its accumulated features.
  const Scale& full_scale(int clip) const { return scales_[static_cast<size_t>(clip + 1) * scales_per_clip_ - 1]; }
  FrameRange frames_of(int clip) const;
  int latent_frames() const { return frames_of(clips() - 1).end; }
  /// The scale of an earlier clip whose keys and values `scale` attends to: the last one of the clip before.
  std::optional<int> reference_of(int scale) const;
  /// True when a later clip attends to the keys and values of this pass.
  bool is_referenced_later(const Step& step) const {
    return step.last_repetition && is_last_of_clip(step.scale) && step.clip + 1 < clips();
  }
  /// Every step in order. Throws Error(usage) when a list does not have one entry per scale, or an entry < 1.
  std::vector<Step> steps(const Repetitions& repetitions) const;

 private:
  std::vector<Scale> scales_;
  int scales_per_clip_ = 0;
  FirstClip first_clip_ = FirstClip::image;
};

/// Scales of every clip: the last ones, or a list. A listed number counts scales within a clip or over the image clip
/// and the first video clip (11 and 26 are one scale at 720p).
struct ScaleChoice {
  int last = 4;
  std::vector<int> listed;  ///< wins over `last` unless empty
  bool operator==(const ScaleChoice&) const = default;
};

/// The chosen scales, counted within a clip, ascending. Throws Error(usage) that begins with `setting` when one does
/// not exist.
std::vector<int> chosen_scales(const ScaleChoice& choice, const Schedule& schedule, const char* setting);

/// The same as a flag for every scale of the schedule: the chosen ones of the video clips. lastN with more scales than a
/// clip has means all of these, and the rest from the end of the image clip: last16 of 15 is its last scale too.
std::vector<bool> chosen_flags(const ScaleChoice& choice, const Schedule& schedule, const char* setting);

/// Aspect templates (height / width) in the official order.
const std::vector<double>& aspect_keys();

/// The template nearest to `height_over_width`; on a tie the first in the official order.
double nearest_aspect_key(double height_over_width);

/// The image pyramid of template `aspect_key` at size `pn` ("0.06M", "0.25M", "0.40M", "0.90M").
/// Throws Error(usage) for an unknown key or size.
std::vector<Scale> image_scales(double aspect_key, const std::string& pn);

/// The schedule of an image clip and as many video clips of `clip_latents` latent frames as `latent_frames`
/// needs; the last one may be shorter. latent_frames 1 is a single image.
Schedule make_schedule(double aspect_key, const std::string& pn, int latent_frames, int clip_latents);

/// The schedule of one clip of the interactive mode: every scale has all of its `latents` frames.
/// Source: infinity/schedules/infinity_star_interact.py.
Schedule continuation_schedule(double aspect_key, const std::string& pn, int latents);

}  // namespace faststar
