#include "core/base/launcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <string_view>

#include "core/base/error.h"

namespace faststar {
namespace {

struct Launcher {
  const char* rank;
  const char* count;
  const char* local_rank;
  const char* local_count;  ///< equal to `count` when all processes are on one host
};

constexpr std::array<Launcher, 4> kLaunchers = {{
    {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"},
    {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_STEP_TASKS_PER_NODE"},
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"},
    {"PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"},
}};

constexpr std::array<const char*, 2> kMpiCounts = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};
constexpr int kMaxProcesses = 1'000'000;

std::string_view variable(const char* name, std::string_view fallback = "") {
  const char* const text = std::getenv(name);
  return text == nullptr ? fallback : text;
}

bool is_set(const char* name) { return std::getenv(name) != nullptr; }

int read_number(const char* name, int min, int max, std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= min && value <= max) return value;
  fail(
      ErrorKind::usage,
      fmt::format("{}: expected a whole number from {} to {}, got {}", name, min, max, text.empty() ? "nothing" : text),
      "start with torchrun, srun or mpirun, or unset this variable");
}

/// Slurm sets the rank in job scripts too, which run once. mpirun starts its daemons on other hosts with srun, so the
/// step that its processes see there is not theirs.
bool was_used(const Launcher& launcher) {
  if (!is_set(launcher.rank)) return false;
  if (std::string_view(launcher.rank) != "SLURM_PROCID") return true;
  const bool is_of_mpi = std::ranges::any_of(
      kMpiCounts, [&](const char* count) { return is_set(count) && variable(count) != variable(launcher.count); });
  return is_set(launcher.count) && !is_of_mpi;
}

void read_address(const Launcher& launcher, LaunchedProcess& process) {
  constexpr int kMaxPort = 65535;
  constexpr std::string_view kThisHost = "127.0.0.1", kPyTorchPort = "29500";
  const bool one_host = variable(launcher.local_count, variable(launcher.count)) == variable(launcher.count);
  process.host = variable("MASTER_ADDR", one_host ? kThisHost : "");
  process.port = static_cast<uint16_t>(read_number("MASTER_PORT", 1, kMaxPort, variable("MASTER_PORT", kPyTorchPort)));
  process.hosts_store = process.rank == 0 && variable("TORCHELASTIC_USE_AGENT_STORE") != "True";
  process.attempt = variable("TORCHELASTIC_RESTART_COUNT");
}

}  // namespace

LaunchedProcess launched_process() {
  LaunchedProcess process;
  for (const Launcher& launcher : kLaunchers) {
    if (!was_used(launcher)) continue;
    process.origin = launcher.rank;
    process.count = read_number(launcher.count, 1, kMaxProcesses, variable(launcher.count));
    process.rank = read_number(launcher.rank, 0, process.count - 1, variable(launcher.rank));
    if (is_set(launcher.local_rank)) {
      process.local_rank = read_number(launcher.local_rank, 0, kMaxProcesses, variable(launcher.local_rank));
    }
    read_address(launcher, process);
    break;
  }
  return process;
}

ArrayTask array_task(const std::string& asked) {
  constexpr const char* kId = "SLURM_ARRAY_TASK_ID";
  constexpr int kMost = std::numeric_limits<int>::max();
  if (!is_set(kId)) {
    fail(ErrorKind::usage, fmt::format("{}: this is no task of a job array: {} is not set", asked, kId),
         "submit with sbatch --array=1-8, or name a part: --shard 2/8");
  }
  const auto number = [](const char* name, int min) { return read_number(name, min, kMost, variable(name)); };
  const int first = number("SLURM_ARRAY_TASK_MIN", 0), last = number("SLURM_ARRAY_TASK_MAX", first);
  const int step = read_number("SLURM_ARRAY_TASK_STEP", 1, kMost, variable("SLURM_ARRAY_TASK_STEP", "1"));
  const int count = number("SLURM_ARRAY_TASK_COUNT", 1), id = read_number(kId, first, last, variable(kId));
  if ((last - first) / step + 1 != count || (id - first) % step != 0) {
    fail(ErrorKind::usage, fmt::format("{}: the job array has gaps: {} tasks from {} to {}", asked, count, first, last),
         "submit with sbatch --array=1-8; to repeat a task, name its part: --shard 3/8");
  }
  return {.index = (id - first) / step, .count = count};
}

}  // namespace faststar
