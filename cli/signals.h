#pragma once

namespace faststar {

/// From now on SIGINT, SIGTERM and SIGHUP stop in two stages: the first one asks the run to end after its
/// current step, a second one removes unfinished files and ends the program at once. Signals that were ignored
/// at the start (nohup) stay so. Call it first in main: threads inherit the blocked signals.
void handle_stop_signals();

/// True after the first signal.
bool stop_requested();

/// 130 after SIGINT, 143 after SIGTERM or SIGHUP.
int stop_exit_code();

}  // namespace faststar
