#include "core/model/text/prompt.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/utf8.h"

namespace faststar {
namespace {

std::string without_outer_blanks(const std::string& text) {
  const std::u32string characters = decode_utf8(text);
  const auto seen = [](char32_t c) { return !is_blank(c); };
  const auto begin = std::find_if(characters.begin(), characters.end(), seen);
  const auto end = std::find_if(characters.rbegin(), characters.rend(), seen).base();
  return begin < end ? encode_utf8({begin, end}) : "";
}

}  // namespace

std::string checked_prompt(const std::string& text, const std::string& origin, ErrorKind kind) {
  if (const auto offset = find_invalid_utf8(text)) {
    fail(kind, fmt::format("{}: expected UTF-8 text, got something else at byte {}", origin, *offset));
  }
  if (text.find('\0') != std::string::npos) fail(kind, fmt::format("{}: expected text, got a NUL byte", origin));
  std::string prompt = without_outer_blanks(text);
  if (prompt.empty()) fail(ErrorKind::usage, fmt::format("{}: the prompt is empty", origin), "-p \"a red ball\"");
  return prompt;
}

std::string video_prompt(const std::string& prompt, const PromptConfig& config, Seconds duration) {
  const std::string tag = config.duration_tag ? fmt::format("<<<t={}s>>>", duration.count) : "";
  return tag + prompt + config.prompt_suffix;
}

}  // namespace faststar
