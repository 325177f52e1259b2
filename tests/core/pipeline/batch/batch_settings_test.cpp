#include "core/pipeline/batch/batch_settings.h"

#include "support/support.h"

namespace faststar {
namespace {

using test::error_of;
using test::TempDir;

}  // namespace

TEST_CASE("a batch goes on with the settings it began with", "[batch]") {
  const TempDir folder;
  const auto file = folder / "config.yaml";
  CHECK_FALSE(read_batch_settings(file));
  Config config;
  config.generate.duration = {5};
  config.sampling.seed = 7;
  config.prompt.prompt_suffix = ", \"close\" up: #1";
  write_batch_settings(file, config, "720p");
  const auto before = read_batch_settings(file);
  REQUIRE(before);
  CHECK(before->sampling.seed == 7);
  CHECK(settings_hash(*before) == settings_hash(config));
  check_same_settings(file, *before, config);
  CHECK(error_of([&] { write_batch_settings(file, config, ""); }).kind() == ErrorKind::output);
}

TEST_CASE("other settings are refused by name with both values", "[batch]") {
  const TempDir folder;
  const auto file = folder / "config.yaml";
  Config before;
  before.sampling.seed = 7;
  Config now = before;
  now.guidance.scale = 3.5;
  now.sampling.seed = 8;
  now.runtime.precision = Precision::bf16;
  const Error error = error_of([&] { check_same_settings(file, before, now); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(std::string(error.what()) ==
        file.string() +
            ": this batch was started with other settings: guidance.guidance was 1.0, now it is 3.5; "
            "runtime.precision was not set, now it is \"bf16\"; sampling.seed was 7, now it is 8");
  CHECK(settings_hash(before) != settings_hash(now));
}

TEST_CASE("where a batch runs and what it prints may change", "[batch]") {
  const Config before;
  Config now;
  now.runtime.device = "cuda:1";
  now.runtime.progress = ProgressStyle::json;
  now.runtime.quiet = true;
  now.output.output = "elsewhere";
  now.output.overwrite = true;
  check_same_settings("config.yaml", before, now);
  CHECK(settings_hash(before) == settings_hash(now));
}

}  // namespace faststar
