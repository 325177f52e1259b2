#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace faststar {

/// This process among those that a launcher started together.
struct LaunchedProcess {
  int rank = 0;  ///< from 0
  int count = 1;
  std::optional<int> local_rank;  ///< among the processes of this host: which GPU is its own
  std::string origin;             ///< the variable that the rank is from, for messages; empty: there is no launcher

  // Where the processes meet: a c10d::TCPStore.
  std::string host;  ///< empty: the launcher does not say, and the processes are on several hosts
  uint16_t port = 0;
  bool hosts_store = false;  ///< rank 0, unless the launcher holds the store itself, as torchrun does
  std::string attempt;       ///< tells apart runs that use one store after each other
};

/// Reads the launcher's variables, in this order: torchrun (RANK, WORLD_SIZE, LOCAL_RANK), a Slurm step (SLURM_PROCID,
/// SLURM_STEP_NUM_TASKS, SLURM_LOCALID; a job script is no step), Open MPI (OMPI_COMM_WORLD_RANK and so on), PMI
/// (PMI_RANK, PMI_SIZE). A Slurm step of another size than Open MPI's or PMI's is one in which mpirun started its own
/// processes, or was started itself: then mpirun's variables hold. The address is from MASTER_ADDR and MASTER_PORT,
/// else this host and PyTorch's port, 29500. Throws Error(usage) when a variable is missing or makes no sense: half of
/// a rank would do everything several times.
LaunchedProcess launched_process();

/// One of the tasks of a Slurm job array, which Slurm runs independently of each other.
struct ArrayTask {
  int index = 0;  ///< from 0, whatever the first number of the array
  int count = 1;
};

/// Reads SLURM_ARRAY_TASK_ID and the array's bounds. Throws Error(usage) starting with `asked` outside of an array and
/// where the numbers have gaps, as in --array=1,3,7: which part of a list a task has must not depend on the others.
ArrayTask array_task(const std::string& asked);

}  // namespace faststar
