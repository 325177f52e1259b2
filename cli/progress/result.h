#pragma once
#include <filesystem>
#include <string>

#include "core/base/error.h"

namespace faststar {

/// Writes to stdout, where only results go. Throws Error(output) when it cannot (a full disk, a closed pipe).
void print_result(const std::string& text);

/// A line with the path of a finished file, bytes unchanged.
void print_path(const std::filesystem::path& path);

/// The exit code of a kind; for `interrupted` that of the signal.
int exit_code(ErrorKind kind);

/// Prints the exception being handled on stderr, `error: ...` and `hint: ...`. Returns its exit code.
int report_current_error();

/// Makes an exception that nothing catches end the program with one line and exit code 70.
void report_uncaught_errors();

}  // namespace faststar
