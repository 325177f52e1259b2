#include "core/pipeline/prompt.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>

#include "core/base/utf8.h"

namespace faststar {
namespace {

/// Far above any prompt: who names a video by mistake gets an error, not a long wait.
constexpr size_t kMaxPromptBytes = 1 << 20;

std::string without_outer_blanks(const std::string& text) {
  const std::u32string characters = decode_utf8(text);
  const auto seen = [](char32_t c) { return !is_blank(c); };
  const auto begin = std::find_if(characters.begin(), characters.end(), seen);
  const auto end = std::find_if(characters.rbegin(), characters.rend(), seen).base();
  return begin < end ? encode_utf8({begin, end}) : "";
}

std::string read_prompt_text(std::istream& stream, const std::string& origin) {
  std::string text(kMaxPromptBytes + 1, '\0');
  if (stream) stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad() || (stream.fail() && !stream.eof())) {
    fail(ErrorKind::input, fmt::format("{}: cannot read: {}", origin, std::strerror(errno)));
  }
  text.resize(static_cast<size_t>(stream.gcount()));
  if (text.size() > kMaxPromptBytes) {
    fail(ErrorKind::input, fmt::format("{}: expected a prompt, got more than 1 MiB", origin));
  }
  return text;
}

}  // namespace

std::string checked_prompt(const std::string& text, const std::string& origin, ErrorKind kind) {
  if (const auto offset = find_invalid_utf8(text)) {
    fail(kind, fmt::format("{}: expected UTF-8 text, got something else at byte {}", origin, *offset));
  }
  if (text.find('\0') != std::string::npos) fail(kind, fmt::format("{}: expected text, got a NUL byte", origin));
  std::string prompt = without_outer_blanks(text);
  if (prompt.empty()) {
    const char* const hint = kind == ErrorKind::usage ? "-p \"a red ball\"" : "";
    fail(kind, fmt::format("{}: the prompt is empty", origin), hint);
  }
  return prompt;
}

std::string read_prompt(const Settings& settings) {
  const PromptConfig& prompt = settings.config.prompt;
  if (prompt.prompt_file) {
    std::ifstream file(*prompt.prompt_file, std::ios::binary);
    return checked_prompt(read_prompt_text(file, *prompt.prompt_file), *prompt.prompt_file, ErrorKind::input);
  }
  if (!prompt.prompt) fail(ErrorKind::usage, "no prompt", "-p \"a red ball\", or --prompt-file FILE");
  if (*prompt.prompt == "-") return checked_prompt(read_prompt_text(std::cin, "stdin"), "stdin", ErrorKind::input);
  return checked_prompt(*prompt.prompt, settings.origin("prompt").text, ErrorKind::usage);
}

std::string video_prompt(const std::string& prompt, const PromptConfig& config, Seconds duration) {
  const std::string tag = config.duration_tag ? fmt::format("<<<t={}s>>>", duration.count) : "";
  return tag + prompt + config.prompt_suffix;
}

}  // namespace faststar
