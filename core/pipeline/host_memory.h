#pragma once
#include <cstdint>
#include <filesystem>

namespace faststar {

/// Bytes of host memory that are free, in the machine and in the control group of this process, or that this process
/// holds already. Page cache counts as free, ours too: mapped files are dropped and read again. `root` is where /proc
/// and /sys are.
int64_t usable_host_bytes(const std::filesystem::path& root = "/");

}  // namespace faststar
