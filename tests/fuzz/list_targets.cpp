#include <fmt/format.h>

#include <algorithm>

#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/pipeline/batch/batch_items.h"
#include "core/pipeline/batch/entry_stream.h"
#include "core/pipeline/prompt.h"
#include "fuzz/target.h"

namespace faststar::fuzz {
namespace {

/// What a batch makes of its items before the first one starts.
void check_items(const std::vector<BatchItem>& items) {
  for (const BatchItem& item : items) {
    if (!item.problem.empty()) continue;  // never used as a name
    const std::filesystem::path file = item.file;
    const bool inside = file.is_relative() && std::find(file.begin(), file.end(), "..") == file.end();
    require(inside, "an item's file is outside of the batch's folder");
    require(item.file.find('\0') == std::string::npos, "an item's file has a zero byte in its name");
    Settings settings;
    try {
      apply_entry(settings, item.options, item.origin);
      checked_prompt(item.text, item.origin, ErrorKind::input);
    } catch (const Error&) {
      continue;  // this item fails, the others are made
    }
  }
  find_case_collision(items);
}

void read_list(const std::string& name, std::string_view bytes) {
  const PromptList list = read_prompt_list({.list = scratch_file(name, bytes), .refined = {}, .images = {}});
  check_items(list_items(list, {.for_benchmark = list.benchmark != Benchmark::none}));
}

void read_text_list(std::string_view bytes) {
  read_list("prompts.txt", bytes);
  read_list("color.txt", bytes);  // a file of VBench, by its name
}

void read_vbench_list(std::string_view bytes) { read_list("prompts.json", bytes); }
void read_jsonl_list(std::string_view bytes) { read_list("prompts.jsonl", bytes); }

void read_entry(std::string_view bytes) {
  const PromptEntry entry = read_entry_line(std::string(bytes), "stdin:1", "");
  check_items(entry_items(entry, 0, {.samples = 2}));
}

/// Lines from a pipe are the same however their bytes arrive.
void cut_lines(std::string_view bytes) {
  constexpr size_t kLimit = 40;
  const auto lines_of = [bytes](size_t piece) {
    LineCutter cutter(kLimit);
    std::string text;
    const auto note = [&text](const std::vector<LineCutter::Line>& lines) {
      for (const auto& line : lines) {
        require(line.text.size() <= kLimit, "a line is longer than the limit");
        text += fmt::format("{}{}\n", line.too_long ? "!" : "", line.text);
      }
    };
    for (size_t at = 0; at < bytes.size(); at += piece) note(cutter.add(bytes.substr(at, piece)));
    note(cutter.rest());
    return text;
  };
  require(lines_of(1) == lines_of(7) && lines_of(7) == lines_of(bytes.size() + 1), "lines depend on how bytes arrive");
}

/// What any text of a file becomes on its way to a terminal, a shell and a file name.
void show_text(std::string_view bytes) {
  const std::string text(bytes);
  const std::string line = log::shown(text);
  require(!find_invalid_utf8(line), "a message is no UTF-8");
  for (const char32_t character : decode_utf8(line)) {
    require(!is_terminal_control(character), "a message steers the terminal");
  }
  require(!find_invalid_utf8(shell_quoted(text)), "a quoted word is no UTF-8");
  printable_lines(text);
  is_blank_text(text);
  if (find_invalid_utf8(text)) return;
  require(encode_utf8(decode_utf8(text)) == text, "UTF-8 is another after it was decoded and encoded");
  require(file_name_problem(slug(text)).empty(), "a slug is no file name");
}

std::vector<std::string> texts() {
  return {"a cat\nA d\xc3\xb3g, running!\r\n\n  \nthe end",
          "\x1b[31mred\x07\xc2\x9b \xe2\x80\xae \xf0\x9f\x98\x80 it's \xff"};
}

std::vector<std::string> entries() {
  return {
      R"({"prompt": "a cat", "id": 7, "seed": 3, "duration": 5, "aspect": "16:9", "ratios": [0.1, 0.2]})",
      R"({"refined_prompt": "a black cat", "prompt": "cat", "image": "a.png", "guidance": 3.5, "reduce": "skip"})",
      R"({"prompt": "x", "video": "a.mp4", "start": 1, "only_new": true, "negative": "blur", "topk_scope": "clip"})"};
}

std::vector<std::string> entry_lists() {
  std::string all;
  for (const std::string& entry : entries()) all += entry + "\n";
  return {all};
}

std::vector<std::string> vbench_lists() {
  return {
      R"([{"prompt_en": "a cat", "dimension": ["color", "scene"], "auxiliary_info": {"color": "black"}},
 {"prompt_en": "a dog", "dimension": ["temporal_flickering"], "refined_prompt": "a big dog"}])",
      R"([{"prompt_en": "a pond, camera pans left", "image_name": "pond.jpg", "dimension": ["camera_motion"]}])",
      R"([{"prompt_en": "a man", "dimension": ["Human_Anatomy"]}, {"prompt_en": "a man", "dimension": ["Physics"]}])"};
}

}  // namespace

std::vector<Target> list_targets() {
  return {
      {"text-list", read_text_list, texts}, {"vbench-list", read_vbench_list, vbench_lists},
      {"entry", read_entry, entries},       {"entry-list", read_jsonl_list, entry_lists},
      {"pipe", cut_lines, entry_lists},     {"text", show_text, texts},
  };
}

}  // namespace faststar::fuzz
