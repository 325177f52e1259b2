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

// These are the variables of Slurm 22.05.
TEST_CASE("a Slurm job script is no step: it runs once, whatever its rank says", "[workers]") {
  const WithEnvironment rank("SLURM_PROCID", "0"), local("SLURM_LOCALID", "0"), tasks("SLURM_NTASKS", "4");
  const WithEnvironment processes("SLURM_NPROCS", "4"), nodes("SLURM_JOB_NUM_NODES", "1");
  CHECK(launched_process().count == 1);
  CHECK(launched_process().origin.empty());
  CHECK_FALSE(launched_process().local_rank);
}

TEST_CASE("mpirun's ranks hold in the Slurm step that it was started in or that it made", "[workers]") {
  const WithEnvironment node("SLURM_PROCID", "0"), nodes("SLURM_STEP_NUM_TASKS", "1"), local("SLURM_LOCALID", "0");
  CHECK(launched_process().count == 1);
  const WithEnvironment rank("OMPI_COMM_WORLD_RANK", "5"), size("OMPI_COMM_WORLD_SIZE", "8");
  const WithEnvironment on_host("OMPI_COMM_WORLD_LOCAL_RANK", "2");
  CHECK(launched_process().rank == 5);
  CHECK(launched_process().count == 8);
  CHECK(launched_process().local_rank == 2);
}

TEST_CASE("tasks of a job array count from the array's first number", "[workers]") {
  const auto task = [](const char* id, const char* first, const char* last, const char* step, const char* count) {
    const WithEnvironment number("SLURM_ARRAY_TASK_ID", id), min("SLURM_ARRAY_TASK_MIN", first);
    const WithEnvironment max("SLURM_ARRAY_TASK_MAX", last), by("SLURM_ARRAY_TASK_STEP", step);
    const WithEnvironment tasks("SLURM_ARRAY_TASK_COUNT", count);
    const ArrayTask found = array_task("--shard array");
    return std::pair(found.index, found.count);
  };
  CHECK(task("1", "1", "8", "1", "8") == std::pair(0, 8));
  CHECK(task("7", "0", "7", "1", "8") == std::pair(7, 8));
  CHECK(task("6", "2", "9", "2", "4") == std::pair(2, 4));
  const auto refused = [&](auto... numbers) { return std::string(error_of([&] { task(numbers...); }).what()); };
  CHECK(refused("3", "1", "7", "1", "3") == "--shard array: the job array has gaps: 3 tasks from 1 to 7");
  CHECK(refused("9", "1", "8", "1", "8") == "SLURM_ARRAY_TASK_ID: expected a whole number from 1 to 8, got 9");
  CHECK_THAT(std::string(error_of([] { array_task("--shard array"); }).what()),
             ContainsSubstring("this is no task of a job array"));
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
