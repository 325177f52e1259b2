#include "cli/worker_group.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/progress/signals.h"
#include "core/base/log.h"

namespace faststar {

void share_cores(size_t count) {
  const size_t threads = std::max<size_t>(1, std::thread::hardware_concurrency() / count);
  setenv("OMP_NUM_THREADS", std::to_string(threads).c_str(), /*replace=*/0);
}

void watch_workers(std::vector<Worker>& workers, const WorkerEvents& events) {
  bool told_to_stop = false;
  while (true) {
    std::vector<pollfd> pipes;
    for (const Worker& worker : workers) pipes.push_back({worker.process->messages(), POLLIN, 0});
    if (std::ranges::all_of(pipes, [](const pollfd& pipe) { return pipe.fd < 0; })) return;
    constexpr int kMilliseconds = 100;
    poll(pipes.data(), pipes.size(), kMilliseconds);
    for (size_t i = 0; i < pipes.size(); ++i) {
      if (pipes[i].revents == 0) continue;
      Worker& worker = workers[i];
      worker.process->read_messages([&](const std::string& line) { events.on_message(worker, line); });
      if (worker.process->messages() < 0) events.on_end(worker);
    }
    if (!stop_requested() || told_to_stop) continue;
    told_to_stop = true;
    for (const Worker& worker : workers) worker.process->send(SIGINT);
  }
}

void relay(const Worker& worker, const std::string& line) {
  constexpr std::string_view kWarning = "warning: ";
  if (line.starts_with(kWarning)) return log::warn("{}: {}", worker.device, line.substr(kWarning.size()));
  const bool fails = line.starts_with("error: ") || line.starts_with("hint: ");
  if (fails) return log::warn("{}: {}", worker.device, line);
  log::info("{}: {}", worker.device, line);
}

bool JointProgress::take(const std::string& device, const std::string& line) {
  const auto event = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!event.is_object() || !event.contains("fraction") || !event.contains("detail")) return false;
  if (!event["fraction"].is_number() || !event["detail"].is_string()) return false;
  const double fraction = event["fraction"];
  const double more = std::max(0.0, fraction - shown_);
  shown_ += more;
  display_.advance(stage_, more, fmt::format("{}: {}", device, event["detail"].get<std::string>()));
  return true;
}

}  // namespace faststar
