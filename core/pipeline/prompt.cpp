#include "core/pipeline/prompt.h"

#include <fmt/format.h>

#include <fstream>
#include <iostream>

#include "core/base/atomic_file.h"
#include "core/base/utf8.h"

namespace faststar {

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
  const auto read = [](std::istream& stream, const std::string& origin) {
    return checked_prompt(read_text(stream, origin, "a prompt", 1, ErrorKind::input), origin, ErrorKind::input);
  };
  if (prompt.prompt_file) {
    std::ifstream file(*prompt.prompt_file, std::ios::binary);
    return read(file, *prompt.prompt_file);
  }
  if (!prompt.prompt) fail(ErrorKind::usage, "no prompt", "-p \"a red ball\", or --prompt-file FILE");
  if (*prompt.prompt == "-") return read(std::cin, "stdin");
  return checked_prompt(*prompt.prompt, settings.origin("prompt").text, ErrorKind::usage);
}

std::string video_prompt(const std::string& prompt, const PromptConfig& config, Seconds duration) {
  const std::string tag = config.duration_tag ? fmt::format("<<<t={}s>>>", duration.count) : "";
  return tag + prompt + config.prompt_suffix;
}

}  // namespace faststar
