#pragma once
#include <filesystem>
#include <string>

namespace faststar {

/// Writes to stdout, where only results go. Throws Error(output) when it cannot (a full disk, a closed pipe).
void print_result(const std::string& text);

/// A line with the path of a finished file, bytes unchanged.
void print_path(const std::filesystem::path& path);

}  // namespace faststar
