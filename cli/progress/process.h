#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include "core/base/error.h"

/// What this process says to its caller and hears from it: stdout, exit code, signals.
namespace faststar {

/// Opens those of stdin, stdout and stderr that are closed, on /dev/null: the next file that is opened would take their
/// place, and be written to. Call it first in main.
void open_standard_descriptors();

/// Set in the processes that this program starts: they report progress as JSON and messages as text.
inline constexpr const char* kWorkerVariable = "FASTSTAR_WORKER";

/// Messages become JSON objects, as --progress json promises for all of stderr. Not in a worker.
void use_json_messages();

/// Writes printable_lines(text) to stdout, where only results go. When that fails (a full disk, a closed pipe), the
/// work goes on and end_code() tells.
void print_result(const std::string& text);

/// A line with the path of a finished file: printable on a terminal, else bytes unchanged.
void print_path(const std::filesystem::path& path);

/// `device_bytes`, the most memory of a device that was used, if any; else the most that this process or one that it
/// started had.
int64_t peak_memory_bytes(int64_t device_bytes);

/// The exit code of the program: `code`, or that of an output error, with a warning, when results of a successful
/// command were lost. A reader that closed its pipe did not want them.
int end_code(int code);

/// The exit code of a kind; for `interrupted` that of the signal.
int exit_code(ErrorKind kind);

/// Prints the exception being handled on stderr, `error: ...` and `hint: ...`. Returns its exit code.
int report_current_error();

/// Makes an exception that nothing catches end the program with one line and the exit code of its kind.
void report_uncaught_errors();

/// From now on SIGINT, SIGTERM and SIGHUP remove unfinished files and end the program, and writes to a closed pipe or
/// beyond the file size limit fail instead of ending it. A mapped file that becomes shorter ends the program with a
/// line that names it. Stop signals that were ignored at the start (nohup) stay ignored. Call it first in main: threads
/// inherit the blocked signals.
void handle_signals();

/// From now on the first signal only asks the run to stop after its current step (stop_requested); a second one ends
/// the program at once. For commands that check stop_requested().
void stop_in_two_stages();

/// True after the first signal.
bool stop_requested();

/// The first signal; 0 before it.
int stop_signal();

/// 130 after SIGINT, 143 after SIGTERM or SIGHUP.
int stop_exit_code();

}  // namespace faststar
