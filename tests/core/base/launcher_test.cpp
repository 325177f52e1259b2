#include "core/base/launcher.h"

#include "support/process_state.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::error_of;
using test::WithEnvironment;

TEST_CASE("rank, count and local rank are those of the launcher", "[workers]") {
  const auto check = [](const char* rank, const char* count, const char* local) {
    const WithEnvironment part(rank, "3"), parts(count, "4"), on_host(local, "1");
    const LaunchedProcess process = launched_process();
    CHECK(process.rank == 3);
    CHECK(process.count == 4);
    CHECK(process.local_rank == 1);
    CHECK(process.origin == rank);
  };
  CHECK(launched_process().count == 1);
  CHECK(launched_process().origin.empty());
  CHECK_FALSE(launched_process().local_rank);
  check("RANK", "WORLD_SIZE", "LOCAL_RANK");
  check("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID");
  check("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK");
  check("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID");
}

TEST_CASE("torchrun's variables come before those of the job that it runs in", "[workers]") {
  const WithEnvironment slurm("SLURM_PROCID", "0"), tasks("SLURM_STEP_NUM_TASKS", "2");
  const WithEnvironment rank("RANK", "1"), size("WORLD_SIZE", "8");
  CHECK(launched_process().rank == 1);
  CHECK(launched_process().count == 8);
}

TEST_CASE("a SLURM job script is no step: it runs once, whatever its rank says", "[workers]") {
  const WithEnvironment rank("SLURM_PROCID", "0"), tasks("SLURM_NTASKS", "4");
  CHECK(launched_process().count == 1);
  CHECK(launched_process().origin.empty());
}

TEST_CASE("the processes meet where the launcher says, else on this host", "[workers]") {
  const WithEnvironment rank("RANK", "0"), size("WORLD_SIZE", "4");
  CHECK(launched_process().host == "127.0.0.1");
  CHECK(launched_process().port == 29500);
  CHECK(launched_process().hosts_store);
  const WithEnvironment two_hosts("LOCAL_WORLD_SIZE", "2");
  CHECK(launched_process().host.empty());
  const WithEnvironment address("MASTER_ADDR", "node7"), port("MASTER_PORT", "1234");
  const WithEnvironment agent("TORCHELASTIC_USE_AGENT_STORE", "True"), attempt("TORCHELASTIC_RESTART_COUNT", "2");
  CHECK(launched_process().host == "node7");
  CHECK(launched_process().port == 1234);
  CHECK_FALSE(launched_process().hosts_store);
  CHECK(launched_process().attempt == "2");
}

TEST_CASE("half of a rank is refused: it would make everything several times", "[workers]") {
  const WithEnvironment rank("RANK", "1");
  CHECK(std::string(error_of([] { launched_process(); }).what()).starts_with("WORLD_SIZE: expected a whole number"));
  const WithEnvironment size("WORLD_SIZE", "1");
  CHECK(std::string(error_of([] { launched_process(); }).what()) == "RANK: expected a whole number from 0 to 0, got 1");
}

}  // namespace
}  // namespace faststar
