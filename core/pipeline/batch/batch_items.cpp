#include "core/pipeline/batch/batch_items.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <map>
#include <set>

#include "core/base/error.h"
#include "core/base/launcher.h"
#include "core/base/random.h"
#include "core/base/utf8.h"
#include "core/config/value.h"
#include "core/pipeline/batch/vbench.h"

namespace faststar {

Shard parse_shard(std::string_view text, const std::string& origin) {
  const size_t slash = text.find('/');
  Shard shard{.origin = origin};
  const bool whole =
      slash != std::string_view::npos && parse_value(text.substr(slash + 1), Field{.range = {1, 1e6}}, shard.count) &&
      parse_value(text.substr(0, slash), Field{.range = {1, static_cast<double>(shard.count)}}, shard.index);
  if (!whole) {
    fail(ErrorKind::usage, fmt::format("{}: expected part/parts such as 2/8, the first being 1/8, got {}", origin,
                                       text.empty() ? "nothing" : text));
  }
  --shard.index;
  return shard;
}

Shard choose_shard(const std::string& flag) {
  if (!flag.empty()) return parse_shard(flag, "--shard");
  const LaunchedProcess process = launched_process();
  return {.index = process.rank, .count = process.count, .origin = process.origin};
}

namespace {

/// The folders below videos/ that this entry goes to, each with its dimension.
std::map<std::string, std::string> folders_of(Benchmark benchmark, const PromptEntry& entry) {
  std::map<std::string, std::string> folders;
  for (const std::string& dimension : entry.dimensions)
    folders.try_emplace(vbench::folder(benchmark, dimension), dimension);
  if (folders.empty()) folders[""] = "";
  return folders;
}

std::string name_problem(const std::string& prompt, const std::string& name) {
  if (const auto offset = find_invalid_utf8(prompt)) return fmt::format("the prompt is not UTF-8 (byte {})", *offset);
  if (name.find('/') != std::string::npos) return "the prompt cannot be a file name: it contains '/'";
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(name, is_control)) return "the prompt cannot be a file name: it contains a control character";
  if (name.size() > NAME_MAX)
    return fmt::format("the prompt cannot be a file name: at most {} bytes, got {}", NAME_MAX, name.size());
  return "";
}

std::string problem(const BatchItem& item, const std::string& name) {
  if (is_blank_text(item.text)) return "the prompt is empty";
  const auto image = item.options.find("image");
  if (image != item.options.end() && image->second.empty()) return "image: expected a file name, got nothing";
  return name_problem(item.prompt, name);
}

class ItemLister {
 public:
  ItemLister(const PromptList& list, const ItemRules& rules) : list_(list), rules_(rules) {}

  std::vector<BatchItem> all() {
    for (entry_ = 0; entry_ < list_.entries.size(); ++entry_) {
      if (rules_.layout == BatchLayout::numbered) {
        add_samples("", usual_samples());
      } else {
        for (const auto& [folder, dimension] : folders_of(list_.benchmark, entry())) {
          add_samples(folder, rules_.samples.value_or(vbench::samples(list_.benchmark, dimension)));
        }
      }
    }
    return std::move(items_);
  }

 private:
  const PromptEntry& entry() const { return list_.entries[entry_]; }

  int usual_samples() const {
    const bool numbered = rules_.layout == BatchLayout::numbered;
    return rules_.samples.value_or(numbered ? 1 : vbench::samples(list_.benchmark, ""));
  }

  int64_t seed(int sample) const {
    const auto own = entry().options.find("seed");
    const int64_t base = own == entry().options.end()
                             ? rules_.base_seed + static_cast<int64_t>(entry_) * usual_samples()
                             : std::stoll(own->second);
    return (base + sample) % kSeeds;
  }

  std::string name(int sample) const {
    if (rules_.layout == BatchLayout::benchmark) return vbench::file_name(list_.benchmark, entry().prompt, sample);
    const bool is_text = !find_invalid_utf8(entry().prompt);
    return fmt::format("{:04}-{}-{}{}", entry_ + 1, is_text ? slug(entry().prompt) : "video", sample, rules_.ending);
  }

  void add_samples(const std::string& folder, int samples) {
    for (int sample = 0; sample < samples; ++sample) {
      BatchItem item;
      const std::string file_name = name(sample);
      item.file = folder.empty() ? file_name : folder + "/" + file_name;
      item.origin = entry().origin;
      item.prompt = entry().prompt;
      item.text = entry().refined.value_or(entry().prompt);
      item.seed = seed(sample);
      item.options = entry().options;
      item.options.erase("seed");
      item.problem = problem(item, file_name);
      add_once(std::move(item));
    }
  }

  void add_once(BatchItem item) {
    const auto [known, added] = by_file_.try_emplace(item.file, items_.size());
    if (added) return items_.push_back(std::move(item));
    const BatchItem& first = items_[known->second];
    if (first.text == item.text && first.options == item.options) return;
    fail(ErrorKind::input, fmt::format("{}: {} is already the file of {}", item.origin, item.file, first.origin),
         "use VBench_full_info.json, where equal prompts are in different folders, or leave out --vbench");
  }

  const PromptList& list_;
  const ItemRules& rules_;
  size_t entry_ = 0;
  std::vector<BatchItem> items_;
  std::map<std::string, size_t> by_file_;
};

std::string lower_ascii(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

}  // namespace

std::vector<BatchItem> list_items(const PromptList& list, const ItemRules& rules) {
  return ItemLister(list, rules).all();
}

std::optional<std::pair<std::string, std::string>> find_case_collision(const std::vector<BatchItem>& items) {
  std::map<std::string, std::string> seen;
  for (const BatchItem& item : items) {
    const auto [first, added] = seen.try_emplace(lower_ascii(item.file), item.file);
    if (!added) return std::pair(first->second, item.file);
  }
  return std::nullopt;
}

}  // namespace faststar
