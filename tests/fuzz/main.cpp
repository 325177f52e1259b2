// Feeds damaged files to the readers of foreign files. How to use it: README.md in this folder.
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "core/base/device.h"
#include "core/base/log.h"
#include "fuzz/runner.h"
#include "fuzz/target.h"

namespace faststar::fuzz {
namespace {

namespace fs = std::filesystem;

int list_targets_by_name() {
  for (const Target& target : targets()) fmt::print("{}\n", target.name);
  return 0;
}

std::vector<const Target*> chosen(const std::vector<std::string>& names) {
  std::vector<const Target*> found;
  for (const std::string& name : names) found.push_back(&find_target(name));
  if (names.empty()) {
    for (const Target& target : targets()) found.push_back(&target);
  }
  return found;
}

/// The target's own samples, and the files of `corpus`/<target>.
std::vector<std::string> samples_of(const Target& target, const std::string& corpus) {
  std::vector<std::string> samples = target.samples();
  std::error_code ignored;
  const fs::path folder = corpus.empty() ? fs::path() : fs::path(corpus) / target.name;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) samples.push_back(bytes_in(entry.path()));
  return samples;
}

int run_campaign(const std::vector<std::string>& names, const std::string& corpus, const Campaign& campaign) {
  int64_t inputs = 0, faults = 0;
  fs::create_directories(campaign.faults);
  for (const Target* target : chosen(names)) {
    const auto samples = samples_of(*target, corpus);
    const Outcome outcome = run(*target, samples, campaign);
    fmt::print(
        "{:<20} {:>9} inputs  {:>5.1f} % accepted  {:>3} faults  {:>7.1f} s\n", target->name, outcome.inputs,
        100.0 * static_cast<double>(outcome.accepted) / static_cast<double>(std::max<int64_t>(outcome.inputs, 1)),
        outcome.faults, outcome.seconds);
    std::fflush(stdout);
    inputs += outcome.inputs;
    faults += outcome.faults;
  }
  fmt::print("{:<20} {:>9} inputs  {} faults\n", "all", inputs, faults);
  return faults == 0 ? 0 : 1;
}

/// Reads files once each, in this process, as a debugger wants it.
int replay(const std::string& name, const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    const auto why = refusal(find_target(name), bytes_in(file));
    fmt::print("{}: {}\n", file, why ? "refused: " + log::shown(*why) : "accepted");
  }
  return 0;
}

int write_corpus(const std::string& folder) {
  for (const Target& target : targets()) {
    fs::create_directories(fs::path(folder) / target.name);
    int number = 0;
    for (const std::string& sample : target.samples()) {
      const auto file = fs::path(folder) / target.name / fmt::format("sample-{}", number++);
      fs::copy_file(scratch_file("sample", sample), file, fs::copy_options::overwrite_existing);
    }
  }
  return 0;
}

int run_program(int argc, char** argv) {
  CLI::App app("Feed damaged files to faststar's readers.");
  app.require_subcommand(1);
  std::vector<std::string> names, files;
  std::string corpus, name, folder;
  Campaign campaign;
  app.add_subcommand("list", "print the names of the targets");
  CLI::App* const run = app.add_subcommand("run", "run changed samples; all targets unless some are named");
  run->add_option("TARGET", names, "");
  run->add_option("--inputs", campaign.inputs, "of each target (20000)");
  run->add_option("--seconds", campaign.seconds, "for each target, at most");
  run->add_option("--seed", campaign.seed, "of the changes (1)");
  run->add_option("--faults", campaign.faults, "folder for inputs that end badly (.)");
  run->add_option("--corpus", corpus, "folder of further samples: <folder>/<target>/<file>");
  CLI::App* const again = app.add_subcommand("replay", "read files once each");
  again->add_option("TARGET", name, "")->required();
  again->add_option("FILE", files, "")->required();
  CLI::App* const write = app.add_subcommand("corpus", "write the samples of all targets");
  write->add_option("DIR", folder, "")->required();
  CLI11_PARSE(app, argc, argv);
  if (*run) return run_campaign(names, corpus, campaign);
  if (*again) return replay(name, files);
  if (*write) return write_corpus(folder);
  return list_targets_by_name();
}

}  // namespace
}  // namespace faststar::fuzz

/// A small file must not ask for gigabytes; what is freed is kept for a while, but not much of it.
extern "C" const char* __asan_default_options() {
  return "max_allocation_size_mb=4000:allocator_may_return_null=1:quarantine_size_mb=16:detect_leaks=0";
}

int main(int argc, char** argv) {
  faststar::log::set_sink([](faststar::log::Level, std::string_view) {});
  at::set_num_threads(1);  // processes are forked
  try {
    return faststar::fuzz::run_program(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
