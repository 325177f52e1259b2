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

}  // namespace faststar
