#include "core/pipeline/batch/shard.h"

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

TEST_CASE("a launcher's rank chooses the shard and the GPU", "[batch]") {
  const auto check = [](const char* rank, const char* size, const char* local) {
    const WithEnvironment part(rank, "3"), parts(size, "4"), on_host(local, "1");
    const Shard shard = shard_from_environment();
    CHECK(shard.index == 3);
    CHECK(shard.count == 4);
    CHECK(shard.origin == rank);
    CHECK(local_rank_from_environment() == 1);
  };
  CHECK(shard_from_environment().count == 1);
  CHECK_FALSE(local_rank_from_environment());
  check("RANK", "WORLD_SIZE", "LOCAL_RANK");
  check("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID");
  check("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK");
}

TEST_CASE("half of a rank is refused: it would make everything several times", "[batch]") {
  const WithEnvironment rank("RANK", "1");
  CHECK(std::string(error_of([] { shard_from_environment(); }).what())
            .starts_with("WORLD_SIZE: expected a whole number"));
  const WithEnvironment size("WORLD_SIZE", "1");
  CHECK(std::string(error_of([] { shard_from_environment(); }).what()) ==
        "RANK: expected a whole number from 0 to 0, got 1");
}

}  // namespace faststar
