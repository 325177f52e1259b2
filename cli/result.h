#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace faststar {

/// Writes to stdout, where only results go. Throws Error(output) when it cannot (a full disk, a closed pipe).
void print_result(const std::string& text);

/// One path a line, bytes unchanged.
void print_paths(const std::vector<std::filesystem::path>& paths);

}  // namespace faststar
