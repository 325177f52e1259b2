#pragma once
#include <string>

#include "core/base/error.h"
#include "core/config/generate.h"

namespace faststar {

/// `text` without outer white space. `origin` is what messages call it ("--prompt").
/// Throws Error(kind) when it is not UTF-8 or holds a NUL, Error(usage) when nothing is left.
std::string checked_prompt(const std::string& text, const std::string& origin, ErrorKind kind);

/// The text that the model gets for a video: tag, prompt, suffix. No separator after the tag; the suffix brings
/// its own. Source: append_duration2caption of tools/run_infinity.py.
std::string video_prompt(const std::string& prompt, const PromptConfig& config, Seconds duration);

}  // namespace faststar
