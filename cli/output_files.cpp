#include "cli/output_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/slug.h"
#include "core/error.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

/// File name endings, the standard one first.
std::vector<std::string> endings(Task task, const OutputConfig& output) {
  if (task == Task::text_to_image) return {".png", ".jpg", ".jpeg"};
  if (output.lossless) return {".mkv"};
  return {".mp4", ".mkv"};
}

void check_ending(const fs::path& file, Task task, const Settings& settings) {
  const std::vector<std::string> known = endings(task, settings.config.output);
  if (std::find(known.begin(), known.end(), file.extension()) != known.end()) return;
  const fs::path better = fs::path(file).replace_extension(known.front());
  fail(ErrorKind::usage,
       fmt::format("{} {}: expected a name that ends in {}{}", settings.origin("output").text, file.string(),
                   known.front(), settings.config.output.lossless ? " (lossless)" : ""),
       fmt::format("-o {}", better.string()));
}

/// "ball.mp4" -> "ball-41.mp4"
fs::path with_seed(const fs::path& file, int64_t seed) {
  return file.parent_path() / fmt::format("{}-{}{}", file.stem().string(), seed, file.extension().string());
}

fs::path free_name(const std::string& stem, const std::string& ending, Existing existing) {
  fs::path name = fmt::format("./{}{}", stem, ending);
  std::error_code ignored;
  for (int copy = 2; existing == Existing::refuse && fs::exists(fs::symlink_status(name, ignored)); ++copy) {
    name = fmt::format("./{}-{}{}", stem, copy, ending);
  }
  return name;
}

/// The name asked for, told apart by seed when there are several.
fs::path name_for_seed(const std::string& asked, int64_t seed, size_t seeds) {
  return seeds > 1 ? with_seed(asked, seed) : fs::path(asked);
}

void check_folder(const fs::path& folder, Existing existing) {
  std::error_code ignored;
  if (!fs::exists(folder, ignored)) return check_writable(folder, existing);
  if (!fs::is_directory(folder, ignored)) {
    fail(ErrorKind::output, fmt::format("--frames-dir {}: is a file, expected a folder", folder.string()));
  }
  if (existing == Existing::refuse && !fs::is_empty(folder, ignored)) {
    fail(ErrorKind::output, fmt::format("--frames-dir {}: the folder is not empty", folder.string()), "--overwrite");
  }
}

}  // namespace

std::vector<JobOutput> choose_outputs(Task task, const Settings& settings, const std::string& prompt,
                                      const std::vector<int64_t>& seeds) {
  const OutputConfig& config = settings.config.output;
  const Existing existing = config.overwrite ? Existing::replace : Existing::refuse;
  if (config.output) check_ending(*config.output, task, settings);
  std::vector<JobOutput> outputs;
  for (const int64_t seed : seeds) {
    JobOutput& output = outputs.emplace_back();
    output.seed = seed;
    output.file = config.output
                      ? name_for_seed(*config.output, seed, seeds.size())
                      : free_name(fmt::format("{}-{}", slug(prompt), seed), endings(task, config).front(), existing);
    check_writable(output.file, existing);
    if (config.save_codes) {
      output.codes = name_for_seed(*config.save_codes, seed, seeds.size());
      check_writable(*output.codes, existing);
    }
    if (config.frames_dir && task == Task::text_to_video) {
      output.frames_dir = name_for_seed(*config.frames_dir, seed, seeds.size());
      check_folder(*output.frames_dir, existing);
    }
  }
  return outputs;
}

}  // namespace faststar
