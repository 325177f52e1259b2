#pragma once
#include <optional>
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

/// This process's part as its launcher says: torchrun (RANK, WORLD_SIZE), srun (SLURM_PROCID, SLURM_NTASKS), mpirun
/// (OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE); the whole list without one. Throws Error(usage) when one of a pair is
/// missing or they make no sense.
Shard shard_from_environment();

/// Its number among the processes of this machine (LOCAL_RANK and the like): which GPU is its own.
std::optional<int> local_rank_from_environment();

}  // namespace faststar
