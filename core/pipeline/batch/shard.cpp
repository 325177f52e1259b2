#include "core/pipeline/batch/shard.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>

#include "core/base/error.h"
#include "core/config/value.h"

namespace faststar {
namespace {

struct Launcher {
  const char* rank;
  const char* size;
  const char* local_rank;
};

constexpr std::array<Launcher, 3> kLaunchers = {{
    {"RANK", "WORLD_SIZE", "LOCAL_RANK"},
    {"SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"},
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"},
}};

constexpr double kMax = 1e6;

int read_number(const char* name, Range range) {
  const char* const text = std::getenv(name);
  int value = 0;
  if (text != nullptr && parse_value(text, Field{.name = name, .range = range}, value)) return value;
  fail(ErrorKind::usage,
       fmt::format("{}: expected a whole number from {} to {}, got {}", name, range.min, range.max,
                   text == nullptr ? "nothing" : text),
       "--shard 1/1 makes the whole list whatever the launcher says");
}

}  // namespace

Shard parse_shard(std::string_view text, const std::string& origin) {
  const size_t slash = text.find('/');
  Shard shard{.origin = origin};
  const bool whole =
      slash != std::string_view::npos && parse_value(text.substr(slash + 1), Field{.range = {1, kMax}}, shard.count) &&
      parse_value(text.substr(0, slash), Field{.range = {1, static_cast<double>(shard.count)}}, shard.index);
  if (!whole) {
    fail(ErrorKind::usage, fmt::format("{}: expected part/parts such as 2/8, the first being 1/8, got {}", origin,
                                       text.empty() ? "nothing" : text));
  }
  --shard.index;
  return shard;
}

Shard shard_from_environment() {
  for (const Launcher& launcher : kLaunchers) {
    if (std::getenv(launcher.rank) == nullptr) continue;
    Shard shard{.origin = launcher.rank};
    shard.count = read_number(launcher.size, {1, kMax});
    shard.index = read_number(launcher.rank, {0, static_cast<double>(shard.count - 1)});
    return shard;
  }
  return {};
}

std::optional<int> local_rank_from_environment() {
  for (const Launcher& launcher : kLaunchers) {
    if (std::getenv(launcher.local_rank) != nullptr) return read_number(launcher.local_rank, {0, kMax});
  }
  return std::nullopt;
}

}  // namespace faststar
