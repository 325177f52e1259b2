#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/settings.h"

namespace faststar {

/// One entry of a list.
struct PromptEntry {
  std::string origin;                   ///< "prompts.txt:3", for messages
  std::string id;                       ///< "id" of a `.jsonl` entry as JSON text, for its results; empty: none
  std::string prompt;                   ///< as the list has it, bytes unchanged; file names are made from it
  std::optional<std::string> refined;   ///< the longer text that the model gets instead
  std::vector<std::string> dimensions;  ///< of a benchmark; empty for a plain list
  FieldTexts options;                   ///< settings of this entry alone
  std::string problem;                  ///< why it cannot be read; empty when it can
};

/// The benchmark that a list belongs to; it decides names and counts.
enum class Benchmark { none, vbench, vbench_i2v, vbench2 };

struct PromptList {
  Benchmark benchmark = Benchmark::none;
  std::vector<PromptEntry> entries;
};

/// The files of a list.
struct PromptListFiles {
  std::filesystem::path list;
  std::optional<std::filesystem::path> refined;  ///< text file: line n is the long form of entry n
  std::optional<std::filesystem::path> images;   ///< folder with the images of a VBench-I2V list; none: beside the list
  double aspect = 16.0 / 9;                      ///< width / height: which crop of those images
  bool keep_unreadable = false;                  ///< a damaged line of a .jsonl is an entry with a problem, no error
};

/// Reads `.txt` (a prompt per line), `.json` (VBench, VBench-I2V, VBench-2.0) or `.jsonl` (a JSON object per line:
/// `prompt`, `refined_prompt`, `id`, and settings by Field::setting(); file names are relative to the list). Blank
/// lines are skipped. Throws Error(input) naming file, line or entry, expected and got; Error(usage) for any other
/// extension.
PromptList read_prompt_list(const PromptListFiles& files);

/// One line of a `.jsonl` list. `origin` is what messages call it; file names are relative to `folder`. A line that
/// cannot be read gives an entry with a problem, and with its id if there is one.
PromptEntry read_entry_line(const std::string& line, const std::string& origin, const std::filesystem::path& folder);

/// VBench 1: the folder of prompts (prompts_per_dimension/<folder>.txt) and videos that serves a dimension; nothing for
/// another word. Source: dimension_to_folder.json of github.com/Vchitect/VBench.
std::optional<std::string_view> vbench_folder(std::string_view dimension);

/// One of several processes that share a list: it makes every `count`-th item.
struct Shard {
  int index = 0;  ///< from 0
  int count = 1;
  std::string origin;  ///< "--shard", "SLURM_PROCID", for messages; empty: the whole list
};

/// "2/8": the second of eight. Throws Error(usage) for other forms and for indices outside 1 to n.
Shard parse_shard(std::string_view text, const std::string& origin);

/// --shard array: the tasks of a Slurm job array are the parts.
inline constexpr std::string_view kArrayShard = "array";

/// What --shard says, else the part of this process among those of a launcher, else the whole list. With kArrayShard
/// the processes of a task share its part. Throws Error(usage).
Shard choose_shard(const std::string& flag);

/// One video to make.
struct BatchItem {
  std::string file;    ///< below videos/: "scene/alley-0.mp4"; also its name in the manifest
  std::string origin;  ///< "prompts.txt:3", for messages
  std::string id;      ///< PromptEntry::id
  int64_t index = 0;   ///< of its entry in the list, from 0
  int sample = 0;      ///< among the videos of its entry, from 0
  std::string prompt;  ///< the short one, for names; bytes unchanged
  std::string text;    ///< what the model gets, before tag and suffix
  int64_t seed = 0;
  FieldTexts options;   ///< settings of this item alone
  std::string problem;  ///< why it cannot be made; empty when it can
};

/// How names and seeds follow from a list.
struct ItemRules {
  bool for_benchmark = false;  ///< names that its evaluator expects; else 0001-<slug>-<i>.mp4, in order
  std::optional<int> samples;  ///< videos per prompt; none: 1, or the benchmark's own counts
  int64_t base_seed = 0;
  std::string ending = ".mp4";  ///< of numbered files
};

/// Why `name`, which a list gives, cannot be a file or folder in the folder that it belongs to; empty when it can.
std::string file_name_problem(const std::string& name);

/// Every video of a list, in its order. Seed: base + prompt index * samples + sample index, modulo 2^32, where samples
/// is the list's usual count (temporal_flickering's 25 do not change it). An entry's own seed replaces base + prompt
/// index * samples. Entries with the same file name, text and settings are one video.
/// Throws Error(input) when two entries have the same file name but another text or settings.
std::vector<BatchItem> list_items(const PromptList& list, const ItemRules& rules);

/// The videos of entry `index` of a list that belongs to no benchmark, as list_items; one for an entry with a problem.
std::vector<BatchItem> entry_items(const PromptEntry& entry, int64_t index, const ItemRules& rules);

/// The first two items whose names differ only in case: one file on some file systems.
std::optional<std::pair<std::string, std::string>> find_case_collision(const std::vector<BatchItem>& items);

}  // namespace faststar
