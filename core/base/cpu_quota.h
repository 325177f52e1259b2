#pragma once
#include <filesystem>
#include <optional>

namespace faststar {

/// CPUs' worth of time that the control group of this process may take, such as 1.5: cpu.max of cgroup v2,
/// cpu.cfs_quota_us of v1, the least of the group and those above it. None without a limit.
/// `root`: where proc/ and sys/ are.
std::optional<double> cpu_quota(const std::filesystem::path& root = "/");

/// Makes LibTorch use no more threads than cpu_quota() allows, rounded up: with more, all of them would stand still for
/// a part of each period. LibTorch itself counts the cores of the affinity mask. Does nothing when
/// OMP_NUM_THREADS or MKL_NUM_THREADS is set.
void limit_threads_to_quota(const std::filesystem::path& root = "/");

/// Throws Error(device) when the threads that LibTorch computes with on the CPU cannot start. OpenMP would end the
/// process there, with exit code 1.
void check_threads_start();

}  // namespace faststar
