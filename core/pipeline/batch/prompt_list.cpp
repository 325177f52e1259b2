#include "core/pipeline/batch/prompt_list.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/media/extension.h"
#include "core/pipeline/batch/list_formats.h"

namespace faststar {
namespace {

PromptList read_by_kind(const PromptListFiles& files) {
  const std::string extension = lower_extension(files.list);
  if (extension == ".txt") return read_text_list(files.list);
  if (extension == ".json") return read_vbench_list(files);
  if (extension == ".jsonl") return read_jsonl_list(files.list);
  fail(ErrorKind::usage, fmt::format("{}: expected a .txt, .json or .jsonl file", files.list.string()),
       "a text file with a prompt a line is enough");
}

/// Line n of `path` is the long form of entry n.
void pair_with(const std::filesystem::path& path, PromptList& list) {
  std::vector<TextLine> lines = read_text_lines(path);
  if (lines.size() != list.entries.size()) {
    fail(ErrorKind::input, fmt::format("{}: expected {} lines, one an entry of the list, got {}", path.string(),
                                       list.entries.size(), lines.size()));
  }
  for (size_t i = 0; i < lines.size(); ++i) list.entries[i].refined = std::move(lines[i].text);
}

}  // namespace

PromptList read_prompt_list(const PromptListFiles& files) {
  PromptList list = read_by_kind(files);
  if (files.refined) pair_with(*files.refined, list);
  return list;
}

}  // namespace faststar
