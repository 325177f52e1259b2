#pragma once
#include <string>

namespace faststar {

/// A prompt as part of a file name: lower-case ASCII letters, digits and every visible character beyond ASCII
/// kept, the rest one dash, at most 40 characters (code points), cut between words where that loses little.
/// "video" when nothing is left. `prompt` is valid UTF-8.
std::string slug(const std::string& prompt);

}  // namespace faststar
