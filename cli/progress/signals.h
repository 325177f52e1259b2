#pragma once

namespace faststar {

/// A pipe that nobody reads, or a file above the limit on its size, is a failed write, not the end of the program.
void let_writes_fail();

/// From now on SIGINT, SIGTERM and SIGHUP remove unfinished files and end the program. Signals that were ignored
/// at the start (nohup) stay so. Call it first in main: threads inherit the blocked signals.
void handle_stop_signals();

/// From now on the first signal only asks the run to end after its current step (stop_requested); a second one
/// ends the program at once. For commands that ask.
void stop_in_two_stages();

/// True after the first signal.
bool stop_requested();

/// 130 after SIGINT, 143 after SIGTERM or SIGHUP.
int stop_exit_code();

}  // namespace faststar
