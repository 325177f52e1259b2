#include "core/pipeline/batch/shard.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/launcher.h"
#include "core/config/value.h"

namespace faststar {

Shard parse_shard(std::string_view text, const std::string& origin) {
  const size_t slash = text.find('/');
  Shard shard{.origin = origin};
  const bool whole =
      slash != std::string_view::npos && parse_value(text.substr(slash + 1), Field{.range = {1, 1e6}}, shard.count) &&
      parse_value(text.substr(0, slash), Field{.range = {1, static_cast<double>(shard.count)}}, shard.index);
  if (!whole) {
    fail(ErrorKind::usage, fmt::format("{}: expected part/parts such as 2/8, the first being 1/8, got {}", origin,
                                       text.empty() ? "nothing" : text));
  }
  --shard.index;
  return shard;
}

Shard choose_shard(const std::string& flag) {
  if (!flag.empty()) return parse_shard(flag, "--shard");
  const LaunchedProcess process = launched_process();
  return {.index = process.rank, .count = process.count, .origin = process.origin};
}

}  // namespace faststar
