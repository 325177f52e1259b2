#pragma once
#include <string>

#include "core/base/error.h"
#include "core/base/tensor.h"
#include "core/config/resolve.h"
#include "core/config/settings.h"
#include "core/pipeline/request.h"

namespace faststar {

/// `text` without outer white space. `origin` is what messages call it ("--prompt").
/// Throws Error(kind) when it is not UTF-8, holds a NUL, or nothing is left.
std::string checked_prompt(const std::string& text, const std::string& origin, ErrorKind kind);

/// The prompt of `settings`, checked: --prompt, `-` for all of stdin, or the whole of --prompt-file.
/// Throws Error(usage) when there is none or the flag holds no valid text, Error(input) when a file or stdin cannot be
/// read or holds none.
std::string read_prompt(const Settings& settings);

/// The text that the model gets for a video: tag, prompt, suffix. No separator after the tag; the suffix brings
/// its own. Source: append_duration2caption of tools/run_infinity.py.
std::string video_prompt(const std::string& prompt, const PromptConfig& config, Seconds duration);

/// The picture or video that a run of `task` starts from; none for a task that starts from text alone. Throws
/// Error(usage) when it was not named.
std::optional<SourceClip> find_source(Task task, const ResolvedSettings& resolved);

/// Reads `source`, resized to the pixels of `size`, and logs what was cropped or padded. Returns float32
/// [1, 3, F, H, W] in [-1, 1] on the CPU: one frame of a picture; of a video as many as its latents stand for, 16 a
/// second (chosen as the official scripts do, or by time where the frame rate varies). Throws Error(input) when the
/// file is missing or damaged, or the video is too short.
Tensor read_source(const SourceClip& source, const VideoSize& size);

/// The source's sound for its part of a video called `file`; null when that part is left out or silent.
std::shared_ptr<const SoundTrack> read_source_sound(const Request& request, const std::filesystem::path& file);

/// Logs warnings when the output will not be meaningful: interactive runs of a model that was not trained for them, and
/// the embedded model with pictures and videos that it did not make, words that it does not know, or another shape.
/// Throws Error(input) when the source cannot be read.
void warn_about_untrained_use(const Request& request);

}  // namespace faststar
