#include "core/base/launcher.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdlib>
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

/// SLURM sets the rank in job scripts too, which run once.
bool was_used(const Launcher& launcher) {
  return is_set(launcher.rank) && (std::string_view(launcher.rank) != "SLURM_PROCID" || is_set(launcher.count));
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

}  // namespace faststar
