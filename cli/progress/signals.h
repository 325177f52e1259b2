#pragma once

namespace faststar {

/// Makes writes to a closed pipe or beyond the file size limit fail instead of ending the program.
void let_writes_fail();

/// From now on SIGINT, SIGTERM and SIGHUP remove unfinished files and end the program. Signals that were ignored at the
/// start (nohup) stay ignored. Call it first in main: threads inherit the blocked signals.
void handle_stop_signals();

/// From now on the first signal only asks the run to stop after its current step (stop_requested); a second one ends
/// the program at once. For commands that check stop_requested().
void stop_in_two_stages();

/// True after the first signal.
bool stop_requested();

/// 130 after SIGINT, 143 after SIGTERM or SIGHUP.
int stop_exit_code();

}  // namespace faststar
