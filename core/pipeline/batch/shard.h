#pragma once
#include <string>
#include <string_view>

namespace faststar {

/// One of several processes that share a list: it makes every `count`-th item.
struct Shard {
  int index = 0;  ///< from 0
  int count = 1;
  std::string origin;  ///< "--shard", "SLURM_PROCID", for messages; empty: the whole list
};

/// "2/8": the second of eight. Throws Error(usage) for other forms and for indices outside 1 to n.
Shard parse_shard(std::string_view text, const std::string& origin);

/// What --shard says, else the part of this process among those of a launcher, else the whole list. Throws
/// Error(usage).
Shard choose_shard(const std::string& flag);

}  // namespace faststar
