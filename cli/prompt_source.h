#pragma once
#include <string>

#include "core/config/settings.h"

namespace faststar {

/// The prompt of `settings`, checked: --prompt, `-` for all of stdin, or the whole of --prompt-file.
/// Throws Error(usage) when there is none, it is empty or not UTF-8, Error(input) when the file cannot be read
/// or is not UTF-8 text.
std::string read_prompt(const Settings& settings);

}  // namespace faststar
