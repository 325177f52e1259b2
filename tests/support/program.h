#pragma once
// The built program from outside. Each start costs half a second.
#include <fmt/format.h>
#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "support/support.h"

namespace faststar::test {

struct Outcome {
  int exit_code = -1;
  std::string out;
  std::string error;
};

/// Runs `faststar <arguments>` in `folder`; `arguments` are shell text, and their redirections win.
inline Outcome run(const TempDir& folder, const std::string& arguments, const std::string& environment = "") {
  const std::string command = fmt::format("cd '{}' && >out 2>err </dev/null env {} '{}' {}", folder.path().string(),
                                          environment, program(), arguments);
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_text(folder / "out"), read_text(folder / "err")};
}

}  // namespace faststar::test
