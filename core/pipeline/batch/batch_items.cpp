#include "core/pipeline/batch/batch_items.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <climits>
#include <map>
#include <set>

#include "core/base/error.h"
#include "core/base/launcher.h"
#include "core/base/random.h"
#include "core/base/utf8.h"
#include "core/config/value.h"

namespace faststar {

Shard parse_shard(std::string_view text, const std::string& origin) {
  const size_t slash = text.find('/');
  Shard shard{.origin = origin};
  const bool whole =
      slash != std::string_view::npos && parse_value(text.substr(slash + 1), Field{.range = {1, 1e6}}, shard.count) &&
      parse_value(text.substr(0, slash), Field{.range = {1, static_cast<double>(shard.count)}}, shard.index);
  if (!whole) {
    fail(ErrorKind::usage, fmt::format("{}: expected part/parts such as 2/8, the first being 1/8, or array, got {}",
                                       origin, text.empty() ? "nothing" : text));
  }
  --shard.index;
  return shard;
}

Shard choose_shard(const std::string& flag) {
  if (!flag.empty() && flag != kArrayShard) return parse_shard(flag, "--shard");
  const LaunchedProcess process = launched_process();
  if (flag == kArrayShard) {
    const ArrayTask task = array_task("--shard array");
    return {.index = task.index * process.count + process.rank,
            .count = task.count * process.count,
            .origin = "SLURM_ARRAY_TASK_ID"};
  }
  return {.index = process.rank, .count = process.count, .origin = process.origin};
}

namespace {

/// What VBench-2.0 calls a prompt's videos: `prompt[:180]`, Python characters.
std::string cut_prompt(const std::string& prompt) {
  constexpr size_t kCharacters = 180;
  if (find_invalid_utf8(prompt)) return prompt;  // refused later, like every prompt that is not UTF-8
  return encode_utf8(decode_utf8(prompt).substr(0, kCharacters));
}

/// The folder below videos/ for an entry's dimension; empty where the evaluator wants one flat folder.
std::string benchmark_folder(Benchmark benchmark, const std::string& dimension) {
  if (benchmark == Benchmark::vbench) return std::string(vbench_folder(dimension).value_or(""));
  return benchmark == Benchmark::vbench2 ? dimension : "";
}

/// Videos per prompt: 5 (25 for temporal_flickering, whose static filter picks five), in VBench-2.0 3 (20 for
/// Diversity).
int benchmark_samples(Benchmark benchmark, std::string_view dimension) {
  if (benchmark == Benchmark::vbench2) return dimension == "Diversity" ? 20 : 3;
  return benchmark == Benchmark::vbench && dimension == "temporal_flickering" ? 25 : 5;
}

/// How many videos of an entry go to which folder below videos/.
std::map<std::string, int> samples_by_folder(Benchmark benchmark, const PromptEntry& entry, const ItemRules& rules,
                                             int usual_samples) {
  if (!entry.problem.empty()) return {{"", 1}};
  if (!rules.for_benchmark || entry.dimensions.empty()) return {{"", usual_samples}};
  std::map<std::string, int> folders;
  for (const std::string& dimension : entry.dimensions) {
    folders.try_emplace(benchmark_folder(benchmark, dimension),
                        rules.samples.value_or(benchmark_samples(benchmark, dimension)));
  }
  return folders;
}

std::string file_name(Benchmark benchmark, const std::string& prompt, int64_t index, int sample,
                      const ItemRules& rules) {
  if (rules.for_benchmark) {
    return fmt::format("{}-{}.mp4", benchmark == Benchmark::vbench2 ? cut_prompt(prompt) : prompt, sample);
  }
  const std::string words = find_invalid_utf8(prompt) ? "video" : slug(prompt);
  return fmt::format("{:04}-{}-{}{}", index + 1, words, sample, rules.ending);
}

std::string problem(const BatchItem& item, const std::string& folder, const std::string& name) {
  if (item.text.empty()) return "the prompt is empty";
  const auto image = item.options.find("image");
  if (image != item.options.end() && image->second.empty()) return "image: expected a file name, got nothing";
  for (const std::string& text : {item.prompt, item.text}) {
    if (const auto offset = find_invalid_utf8(text)) return fmt::format("the prompt is not UTF-8 (byte {})", *offset);
    if (text.find('\0') != std::string::npos) return "the prompt contains a NUL byte";
  }
  const auto cannot_be_a_name = [](const char* what, const std::string& why) {
    return why.empty() ? "" : fmt::format("the {} cannot be a file name: {}", what, why);
  };
  const std::string of_prompt = cannot_be_a_name("prompt", file_name_problem(name));
  return of_prompt.empty() ? cannot_be_a_name("dimension", file_name_problem(folder)) : of_prompt;
}

BatchItem item_of(const PromptEntry& entry, const std::string& folder, const std::string& name, int64_t seed) {
  BatchItem item{.file = folder.empty() ? name : folder + "/" + name,
                 .origin = entry.origin,
                 .id = entry.id,
                 .prompt = entry.prompt,
                 .text = entry.refined.value_or(entry.prompt),
                 .seed = seed % kSeeds,
                 .options = entry.options};
  item.options.erase("seed");
  if (!find_invalid_utf8(item.text)) item.text = without_outer_blanks(item.text);
  item.problem = problem(item, folder, name);
  if (!entry.problem.empty()) item.problem = entry.problem;
  return item;
}

std::vector<BatchItem> items_of(Benchmark benchmark, const PromptEntry& entry, int64_t index, const ItemRules& rules) {
  const int usual_samples = rules.samples.value_or(rules.for_benchmark ? benchmark_samples(benchmark, "") : 1);
  const auto own_seed = entry.options.find("seed");
  const int64_t seed =
      own_seed == entry.options.end() ? rules.base_seed + index * usual_samples : std::stoll(own_seed->second);
  std::vector<BatchItem> items;
  for (const auto& [folder, samples] : samples_by_folder(benchmark, entry, rules, usual_samples)) {
    for (int sample = 0; sample < samples; ++sample) {
      const std::string name = file_name(benchmark, entry.prompt, index, sample, rules);
      BatchItem& item = items.emplace_back(item_of(entry, folder, name, seed + sample));
      item.index = index;
      item.sample = sample;
    }
  }
  return items;
}

}  // namespace

std::optional<std::string_view> vbench_folder(std::string_view dimension) {
  constexpr std::array<std::string_view, 11> kOwnFolder = {
      "subject_consistency", "object_class",   "multiple_objects",    "color",        "spatial_relationship", "scene",
      "appearance_style",    "temporal_style", "overall_consistency", "human_action", "temporal_flickering"};
  const auto own = std::ranges::find(kOwnFolder, dimension);
  if (own != kOwnFolder.end()) return *own;
  if (dimension == "background_consistency") return "scene";
  if (dimension == "aesthetic_quality" || dimension == "imaging_quality") return "overall_consistency";
  if (dimension == "motion_smoothness" || dimension == "dynamic_degree") return "subject_consistency";
  return std::nullopt;
}

std::string file_name_problem(const std::string& name) {
  if (find_invalid_utf8(name)) return "it is not UTF-8";
  if (name.find('/') != std::string::npos) return "it contains '/'";
  if (name == "." || name == "..") return "it names a folder";
  if (std::ranges::any_of(decode_utf8(name), is_terminal_control)) return "it contains a control character";
  if (name.size() > NAME_MAX) return fmt::format("at most {} bytes, got {}", NAME_MAX, name.size());
  return "";
}

std::vector<BatchItem> list_items(const PromptList& list, const ItemRules& rules) {
  std::vector<BatchItem> items;
  std::map<std::string, size_t> by_file;
  const auto add_once = [&](BatchItem item) {
    const auto [known, added] = by_file.try_emplace(item.file, items.size());
    if (added) return items.push_back(std::move(item));
    const BatchItem& first = items[known->second];
    if (first.text == item.text && first.options == item.options) return;
    fail(ErrorKind::input, fmt::format("{}: {} is already the file of {}", item.origin, item.file, first.origin),
         "use VBench_full_info.json, where equal prompts are in different folders, or leave out --vbench");
  };
  int64_t index = 0;
  for (const PromptEntry& entry : list.entries) {
    for (BatchItem& item : items_of(list.benchmark, entry, index++, rules)) add_once(std::move(item));
  }
  return items;
}

std::vector<BatchItem> entry_items(const PromptEntry& entry, int64_t index, const ItemRules& rules) {
  return items_of(Benchmark::none, entry, index, rules);
}

std::optional<std::pair<std::string, std::string>> find_case_collision(const std::vector<BatchItem>& items) {
  const auto is_less = [](const std::string& a, const std::string& b) { return strcasecmp(a.c_str(), b.c_str()) < 0; };
  std::set<std::string, decltype(is_less)> seen;
  for (const BatchItem& item : items) {
    const auto [first, added] = seen.insert(item.file);
    if (!added) return std::pair(*first, item.file);
  }
  return std::nullopt;
}

}  // namespace faststar
