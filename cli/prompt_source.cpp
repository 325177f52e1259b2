#include "cli/prompt_source.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>

#include "core/base/error.h"
#include "core/model/text/prompt.h"

namespace faststar {
namespace {

/// Far above any prompt: who names a video by mistake gets an error, not a long wait.
constexpr size_t kLargest = 1 << 20;

std::string read_limited(std::istream& stream, const std::string& origin) {
  std::string text(kLargest + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) fail(ErrorKind::input, fmt::format("{}: cannot read: {}", origin, std::strerror(errno)));
  text.resize(static_cast<size_t>(stream.gcount()));
  if (text.size() > kLargest) fail(ErrorKind::input, fmt::format("{}: expected a prompt, got more than 1 MiB", origin));
  return text;
}

std::string read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) fail(ErrorKind::input, fmt::format("{}: cannot read: {}", path, std::strerror(errno)));
  return read_limited(stream, path);
}

}  // namespace

std::string read_prompt(const Settings& settings) {
  const PromptConfig& prompt = settings.config.prompt;
  if (prompt.prompt_file) return checked_prompt(read_file(*prompt.prompt_file), *prompt.prompt_file, ErrorKind::input);
  if (!prompt.prompt) fail(ErrorKind::usage, "no prompt", "-p \"a red ball\", or --prompt-file FILE");
  if (*prompt.prompt == "-") return checked_prompt(read_limited(std::cin, "stdin"), "stdin", ErrorKind::input);
  return checked_prompt(*prompt.prompt, settings.origin("prompt").text, ErrorKind::usage);
}

}  // namespace faststar
