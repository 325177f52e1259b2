#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <cstdlib>

#include "cli/batch.h"
#include "cli/options/command_option.h"
#include "core/config/value.h"

namespace faststar {
namespace {

std::optional<std::filesystem::path> optional_path(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return text;
}

/// A range check that does not replace "N" in the help.
CLI::Validator from_to(int least, int most) { return CLI::Range(least, most).description(""); }

}  // namespace

void add_batch_options(CLI::App& command, BatchOptions& options) {
  command.add_option("FILE", options.list, "")->required();
  add_command_option(command, "vbench", options.vbench, {"", "VBench file names and sample counts"});
  add_command_option(command, "check", options.check, {"", "only list missing and damaged videos"});
  add_command_option(command, "samples", options.samples, {"N", "videos per prompt (1; VBench: 5)"})
      ->check(from_to(1, 10000));
  const auto add_more = [&](std::string_view name, auto& value, OptionText text) {
    return add_command_option(command, name, value, text, kMoreGroup);
  };
  add_more("devices", options.devices, {"LIST", "one process per GPU: 0,1"});
  add_more("shard", options.shard, {"I/N", "make only part I of N of the list"});
  add_more("retries", options.retries, {"N", "retries per failed video (1)"})->check(from_to(0, 1000));
  add_more("refined", options.refined, {"FILE", "refined prompts, one line per entry"});
  add_more("images", options.images, {"DIR", "images of a VBench-I2V list"});
  add_more("keep_codes", options.keep_codes, {"", "keep the codes of finished videos"});
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

}  // namespace faststar
