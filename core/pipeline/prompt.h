#pragma once
#include <string>

#include "core/base/error.h"
#include "core/config/settings.h"

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

}  // namespace faststar
