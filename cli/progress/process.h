#pragma once
#include <filesystem>
#include <string>

#include "core/base/error.h"

/// What this process says to its caller and hears from it: stdout, exit code, signals.
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

/// From now on SIGINT, SIGTERM and SIGHUP remove unfinished files and end the program, and writes to a closed pipe or
/// beyond the file size limit fail instead of ending it. Stop signals that were ignored at the start (nohup) stay
/// ignored. Call it first in main: threads inherit the blocked signals.
void handle_signals();

/// From now on the first signal only asks the run to stop after its current step (stop_requested); a second one ends
/// the program at once. For commands that check stop_requested().
void stop_in_two_stages();

/// True after the first signal.
bool stop_requested();

/// 130 after SIGINT, 143 after SIGTERM or SIGHUP.
int stop_exit_code();

}  // namespace faststar
