#include "support/run_program.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <cstdlib>

namespace faststar::test {

Outcome run_program(const TempDir& folder, const std::string& arguments, const std::string& environment) {
  const std::string command = fmt::format("cd '{}' && >out 2>err </dev/null env {} '{}' {}", folder.path().string(),
                                          environment, program(), arguments);
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_text(folder / "out"), read_text(folder / "err")};
}

}  // namespace faststar::test
