#include "core/train/train_log.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/log.h"

namespace faststar {

TrainLog::TrainLog(const std::filesystem::path& file) : file_(file), stream_(file, std::ios::app) {
  if (!stream_) fail(ErrorKind::output, fmt::format("{}: cannot be written", file.string()));
}

void TrainLog::write(const LogEntry& entry) {
  if (!stream_.is_open()) return;
  nlohmann::ordered_json line = {{"stage", entry.stage},
                                 {"step", entry.step},
                                 {"steps", entry.steps},
                                 {"processes", entry.processes},
                                 {"learning_rate", entry.learning_rate},
                                 {"ms_per_step", entry.ms_per_step},
                                 {"gradient_norm", entry.gradient_norm},
                                 {"seconds", entry.seconds}};
  for (const auto& [name, value] : entry.statistics) line[name] = value;
  stream_ << line.dump() << "\n" << std::flush;
  if (!stream_) fail(ErrorKind::output, fmt::format("{}: cannot be written: disk full?", file_.string()));
  const double loss = entry.statistics.empty() ? 0 : entry.statistics.front().second;
  log::info("{} {}/{}: loss {:.4f}, {:.1f} ms a step, gradient {:.2f}", entry.stage, entry.step, entry.steps, loss,
            entry.ms_per_step, entry.gradient_norm);
}

}  // namespace faststar
