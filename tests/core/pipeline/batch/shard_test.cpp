#include "core/pipeline/batch/batch_items.h"
#include "support/process_state.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::error_of;
using test::WithEnvironment;

}  // namespace

TEST_CASE("a shard is named from 1", "[batch]") {
  CHECK(parse_shard("2/8", "--shard").index == 1);
  CHECK(parse_shard("2/8", "--shard").count == 8);
  for (const char* wrong : {"0/2", "3/2", "2", "/2", "1/0", "a/b", "1/2/3", "", "-1/2"}) {
    const Error error = error_of([&] { parse_shard(wrong, "--shard"); });
    CHECK(error.kind() == ErrorKind::usage);
    CHECK(std::string(error.what()).starts_with("--shard: expected part/parts such as 2/8"));
  }
}

TEST_CASE("--shard chooses the shard, else the launcher's rank", "[batch]") {
  CHECK(choose_shard("").count == 1);
  const WithEnvironment rank("RANK", "3"), count("WORLD_SIZE", "4");
  CHECK(choose_shard("").index == 3);
  CHECK(choose_shard("").count == 4);
  CHECK(choose_shard("").origin == "RANK");
  CHECK(choose_shard("2/8").index == 1);
  CHECK(choose_shard("2/8").origin == "--shard");
}

TEST_CASE("the processes of a job array's task share its part", "[batch]") {
  const WithEnvironment id("SLURM_ARRAY_TASK_ID", "2"), min("SLURM_ARRAY_TASK_MIN", "1");
  const WithEnvironment max("SLURM_ARRAY_TASK_MAX", "3"), tasks("SLURM_ARRAY_TASK_COUNT", "3");
  CHECK(choose_shard("").count == 1);  // only on request: an array may be over other things
  CHECK(choose_shard("array").index == 1);
  CHECK(choose_shard("array").count == 3);
  const WithEnvironment rank("SLURM_PROCID", "1"), step("SLURM_STEP_NUM_TASKS", "2");
  CHECK(choose_shard("array").index == 3);
  CHECK(choose_shard("array").count == 6);
  CHECK(choose_shard("array").origin == "SLURM_ARRAY_TASK_ID");
}

}  // namespace faststar
