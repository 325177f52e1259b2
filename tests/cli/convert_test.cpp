// faststar convert from outside.
#include <nlohmann/json.hpp>

#include "core/config/preset.h"
#include "support/program.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::run;
using test::TempDir;

TEST_CASE("convert writes a model folder and prints it", "[cli]") {
  const TempDir folder;
  const std::string tiny = embedded_model_dir().string();
  const auto made = run(folder, "convert '" + tiny + "' -o fast --progress none");
  INFO(made.error);
  REQUIRE(made.exit_code == 0);
  CHECK(made.out == "fast\n");
  CHECK_THAT(made.error, ContainsSubstring("fast: 0.02 GB in bf16, "));
  const auto info = run(folder, "info fast");
  CHECK(info.exit_code == 0);
  CHECK_THAT(info.out, ContainsSubstring(" parameters, converted to bf16\n"));

  const auto taken = run(folder, "convert '" + tiny + "' -o fast");
  CHECK(taken.exit_code == 6);
  CHECK_THAT(taken.error, ContainsSubstring("already exists"));
  const auto replaced = run(folder, "convert '" + tiny + "' -o fast --overwrite --json -q");
  CHECK(replaced.exit_code == 0);
  CHECK(replaced.error.empty());
  CHECK(nlohmann::json::parse(replaced.out)["precision"] == "bf16");
  CHECK(run(folder, "convert fast -o faster").exit_code == 4);
}

TEST_CASE("convert refuses what it cannot do before it reads anything", "[cli]") {
  const TempDir folder;
  const auto refused = [&](const std::string& arguments, int code, const std::string& message) {
    const auto outcome = run(folder, "convert " + arguments);
    CHECK(outcome.exit_code == code);
    CHECK_THAT(outcome.error, ContainsSubstring(message));
  };
  refused("absent -o fast", 4, "convert absent: no such folder");
  refused(". -o fast --precision int4", 2, "--precision: expected bf16 or fp8, got int4");
  refused(".", 2, "--output is required");
}

}  // namespace
}  // namespace faststar
