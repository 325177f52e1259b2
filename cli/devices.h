#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cli/progress/progress.h"
#include "core/base/process_group.h"
#include "core/config/resolve.h"

namespace CLI {
class App;
}

/// --devices of the commands whose processes do one thing together, one a device: they make one video, or train one
/// model. This process starts the others, or a launcher has started all of them (torchrun, srun, mpirun).
namespace faststar {

/// The devices of --devices, which take no --device beside them. Throws Error(usage) for a list that makes no sense.
std::vector<std::string> checked_devices(const std::string& devices, bool has_device);

/// What --devices, --device and a launcher say of a command with settings: sets the flag of the device that this
/// process uses. Returns the devices of --devices when they are several: each needs a process. Throws as
/// checked_devices and launched_process.
std::vector<std::string> choose_devices(const std::string& devices, FieldTexts& flags);

/// The program once more on each device.
struct JointRun {
  std::vector<std::string> words;  ///< of given_words()
  std::vector<std::string> devices;
  ProgressStyle style = ProgressStyle::automatic;
  Stage stage = Stage::tokens;
  std::string lost_hint;     ///< what to do when a process was lost
  bool names_lines = false;  ///< every process speaks, under its name; else the first one as if it were alone
};

/// Starts the processes, each with the variables that torchrun would give it, and waits for them. One that fails ends
/// the others. Returns the exit code; throws the error of the one that failed first.
int run_together(const JointRun& run);

/// run_together for a command that makes one video; `command` was parsed from the words that the processes get, and
/// `config` is what they make of them. Removes what a process that was killed could not remove.
int make_together(const CLI::App& command, const std::vector<std::string>& devices, const Config& config);

/// Lets the processes read lines that are typed on this one's terminal, which only this one may read.
void pass_on_terminal();

/// Joins the processes of a launcher or of run_together(); one alone where there are none. All but the first fall
/// silent: they have nothing to say that the first one does not. Throws as launched_process and join_processes.
std::shared_ptr<ProcessGroup> join_group(const std::string& device);
/// The same for settings; a dry run joins nobody: it plans for `devices`.
void join_group(ResolvedSettings& resolved, const std::vector<std::string>& devices);

}  // namespace faststar
