#pragma once
#include <string>

#include "support/support.h"

namespace faststar::test {

/// What a run of the built program left. Each start costs half a second.
struct Outcome {
  int exit_code = -1;
  std::string out;
  std::string error;
};

/// Runs `faststar <arguments>` in `folder`; `arguments` are shell text, and their redirections win.
Outcome run_program(const TempDir& folder, const std::string& arguments, const std::string& environment = "");

}  // namespace faststar::test
