#include "cli/output_files.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/slug.h"
#include "core/media/frame_folder_writer.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

const char* standard_ending(Task task, const OutputConfig& config) {
  if (task == Task::text_to_image) return ".png";
  return config.lossless ? ".mkv" : ".mp4";
}

fs::path free_name(const std::string& stem, const std::string& ending, Existing existing) {
  fs::path name = fmt::format("./{}{}", stem, ending);
  std::error_code ignored;
  for (int copy = 2; existing == Existing::refuse && fs::exists(fs::symlink_status(name, ignored)); ++copy) {
    name = fmt::format("./{}-{}{}", stem, copy, ending);
  }
  return name;
}

/// The name asked for; one of several gets its seed: "ball.mp4" -> "ball-41.mp4".
fs::path name_for_seed(const fs::path& asked, int64_t seed, size_t seeds) {
  if (seeds == 1) return asked;
  return asked.parent_path() / fmt::format("{}-{}{}", asked.stem().string(), seed, asked.extension().string());
}

/// The name of a file that goes with the video; checked to be creatable and another one than the run's others.
fs::path companion(const std::string& asked, const char* flag, const JobOutput& output, size_t seeds,
                   Existing existing) {
  const fs::path name = name_for_seed(asked, output.seed, seeds);
  check_writable(name, existing);
  for (const auto& other : {std::optional(output.file), output.codes, output.trace}) {
    if (!other || fs::weakly_canonical(name) != fs::weakly_canonical(*other)) continue;
    fail(ErrorKind::usage, fmt::format("{} {}: another file of this run has the same name", flag, name.string()),
         "another name for one of them");
  }
  return name;
}

}  // namespace

void spare_inputs(const std::vector<fs::path>& outputs, const std::vector<std::optional<std::string>>& inputs) {
  for (const fs::path& output : outputs) {
    for (const auto& input : inputs) {
      std::error_code absent;
      if (!input || !fs::equivalent(output, *input, absent)) continue;
      fail(ErrorKind::usage, fmt::format("{}: is read by this run, expected another file to write", output.string()),
           "another name for the output");
    }
  }
}

std::vector<fs::path> files_of(const std::vector<JobOutput>& outputs) {
  std::vector<fs::path> files;
  for (const JobOutput& output : outputs) {
    files.push_back(output.file);
    for (const auto& other : {output.codes, output.trace, output.preview}) {
      if (other) files.push_back(*other);
    }
  }
  return files;
}

std::vector<JobOutput> choose_outputs(Task task, const OutputConfig& config, const std::string& prompt,
                                      const std::vector<int64_t>& seeds) {
  const Existing existing = config.overwrite ? Existing::replace : Existing::refuse;
  std::vector<JobOutput> outputs;
  for (const int64_t seed : seeds) {
    JobOutput& output = outputs.emplace_back();
    output.seed = seed;
    output.file = config.output
                      ? name_for_seed(*config.output, seed, seeds.size())
                      : free_name(fmt::format("{}-{}", slug(prompt), seed), standard_ending(task, config), existing);
    check_writable(output.file, existing);
    if (config.save_codes) output.codes = companion(*config.save_codes, "--save-codes", output, seeds.size(), existing);
    if (config.trace) output.trace = companion(*config.trace, "--trace", output, seeds.size(), existing);
    if (config.preview && task != Task::text_to_image) {
      output.preview = companion(*config.preview, "--preview", output, seeds.size(), existing);
    }
    if (config.frames_dir && task != Task::text_to_image) {
      output.frames_dir = name_for_seed(*config.frames_dir, seed, seeds.size());
      check_frame_folder(*output.frames_dir, existing);
    }
  }
  return outputs;
}

}  // namespace faststar
