// Makes the threads of OpenMP sleep while they wait. By default they spin for some milliseconds, and on a busy machine
// they take the cores away from the thread that they wait for. OpenMP reads its variables in its constructor, before
// main(): so this runs before all constructors, and starts the program once more with the variable set. Only the
// loader's work is done twice.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <string_view>
#include <vector>

namespace {

/// True for the variables with which a user chooses how threads wait.
bool chooses_waiting(std::string_view variable) {
  constexpr std::array<std::string_view, 3> kNames = {"OMP_WAIT_POLICY=", "GOMP_SPINCOUNT=", "KMP_BLOCKTIME="};
  return std::ranges::any_of(kNames, [variable](std::string_view name) { return variable.starts_with(name); });
}

/// Neither `environ` nor C++ streams exist yet. Returns when there is nothing to do, or when it cannot be done.
void wait_passively(int, char** arguments, char** environment) {
  std::vector<char*> variables;
  for (; *environment != nullptr; ++environment) {
    if (chooses_waiting(*environment)) return;
    variables.push_back(*environment);
  }
  std::array<char, 32> passive = {"OMP_WAIT_POLICY=passive"};
  variables.insert(variables.end(), {passive.data(), nullptr});
  std::array<char, PATH_MAX> program = {};  // by its own name, which `ps` shows
  if (readlink("/proc/self/exe", program.data(), program.size() - 1) > 0) {
    execve(program.data(), arguments, variables.data());
  }
}

__attribute__((section(".preinit_array"), used)) void (*const before_constructors)(int, char**,
                                                                                   char**) = wait_passively;

}  // namespace
