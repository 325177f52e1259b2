#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/base/error.h"
#include "core/pipeline/batch/list_formats.h"
#include "core/pipeline/batch/vbench.h"

namespace faststar {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool holds_something(std::string_view line) { return line.find_first_not_of(" \t\r") != std::string_view::npos; }

}  // namespace

std::string read_list_file(const std::filesystem::path& path) {
  constexpr size_t kLargest = size_t{64} << 20;  // some hundred times VBench: who names a video gets an error
  std::ifstream stream(path, std::ios::binary);
  std::string text;
  for (char block[1 << 16]; stream.read(block, sizeof(block)) || stream.gcount() > 0;) {
    text.append(block, static_cast<size_t>(stream.gcount()));
    if (text.size() > kLargest)
      fail(ErrorKind::input, fmt::format("{}: expected a list of prompts, got more than 64 MiB", path.string()));
  }
  if (!stream.eof()) fail(ErrorKind::input, fmt::format("{}: cannot read: {}", path.string(), std::strerror(errno)));
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  return text;
}

std::vector<TextLine> read_text_lines(const std::filesystem::path& path) {
  const std::string text = read_list_file(path);
  std::vector<TextLine> lines;
  size_t number = 1;
  for (size_t begin = 0; begin < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    if (line.ends_with('\r')) line.pop_back();
    if (holds_something(line)) lines.push_back({fmt::format("{}:{}", path.string(), number), std::move(line)});
    begin = end + 1;
  }
  if (lines.empty())
    fail(ErrorKind::input, fmt::format("{}: expected prompts, a line each, got an empty file", path.string()));
  return lines;
}

PromptList read_text_list(const std::filesystem::path& path) {
  PromptList list;
  const std::string name = path.stem().string();
  if (vbench::is_folder(name)) list.benchmark = Benchmark::vbench;
  for (TextLine& line : read_text_lines(path)) {
    PromptEntry& entry = list.entries.emplace_back();
    entry.origin = std::move(line.origin);
    entry.prompt = std::move(line.text);
    if (list.benchmark == Benchmark::vbench) entry.dimensions = {name};
  }
  return list;
}

}  // namespace faststar
