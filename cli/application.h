#pragma once

namespace faststar {

/// Parses the command line and runs the command. Returns the exit code; throws what went wrong.
int run_application(int argc, const char* const* argv);

}  // namespace faststar
