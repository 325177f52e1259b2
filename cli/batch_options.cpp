#include "cli/batch_options.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <algorithm>
#include <cstdlib>

#include "cli/options/help.h"
#include "core/config/value.h"

namespace faststar {
namespace {

std::optional<std::filesystem::path> optional_path(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return text;
}

/// Adds the environment variable to an option that is not a setting.
CLI::Option* with_variable(CLI::Option* option, const std::string& group) {
  std::string name = option->get_lnames().front();
  std::ranges::replace(name, '-', '_');
  return option->envname(environment_name(name))->group(group);
}

/// A range check that does not replace "N" in the help.
CLI::Validator from_to(int least, int most) { return CLI::Range(least, most).description(""); }

}  // namespace

void add_batch_options(CLI::App& command, BatchOptions& options) {
  command.add_option("FILE", options.list, "")->required();
  const auto add_flag = [&](const char* name, bool& value, const char* help, const std::string& group) {
    with_variable(command.add_flag(name, value, help), group);
  };
  const auto add_option = [&](const char* name, auto& value, const char* argument, const char* help,
                              const std::string& group) {
    return with_variable(command.add_option(name, value, help), group)->type_name(argument);
  };
  add_flag("--vbench", options.vbench, "VBench file names and sample counts", kScreenGroup);
  add_flag("--check", options.check, "only list missing and damaged videos", kScreenGroup);
  add_option("--samples", options.samples, "N", "videos per prompt (1; VBench: 5)", kScreenGroup)
      ->check(from_to(1, 10000));
  add_option("--devices", options.devices, "LIST", "one process per GPU: 0,1", kMoreGroup);
  add_option("--shard", options.shard, "I/N", "make only part I of N of the list", kMoreGroup);
  add_option("--retries", options.retries, "N", "retries per failed video (1)", kMoreGroup)->check(from_to(0, 1000));
  add_option("--refined", options.refined, "FILE", "refined prompts, one line per entry", kMoreGroup);
  add_option("--images", options.images, "DIR", "images of a VBench-I2V list", kMoreGroup);
  add_flag("--keep-codes", options.keep_codes, "keep the codes of finished videos", kMoreGroup);
  add_making_options(command, FlagScope::batch, options.making);
  command.get_option("--output")->description("output folder (runs/<name of FILE>)")->type_name("DIR");
}

std::filesystem::path batch_root(const BatchOptions& options) {
  const auto flag = options.making.settings.flags.find("output");
  if (flag != options.making.settings.flags.end()) return flag->second;
  const char* const variable = std::getenv(environment_name("output").c_str());
  if (variable != nullptr && *variable != '\0') return variable;
  return std::filesystem::path("runs") / std::filesystem::path(options.list).stem();
}

PromptListFiles list_files(const BatchOptions& options, double aspect) {
  return {.list = options.list,
          .refined = optional_path(options.refined),
          .images = optional_path(options.images),
          .aspect = aspect};
}

Shard chosen_shard(const BatchOptions& options) {
  return options.shard.empty() ? shard_from_environment() : parse_shard(options.shard, "--shard");
}

}  // namespace faststar
