#include "core/lab/train/train_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/utf8.h"

namespace faststar {
namespace {

constexpr double kWidth = 800, kHeight = 240, kMargin = 50;

/// The steps of a phase that a logarithmic axis can show.
std::vector<StepRecord> shown_steps(const PhaseRecord& phase) {
  std::vector<StepRecord> shown;
  std::ranges::copy_if(phase.entries, std::back_inserter(shown), [](const StepRecord& step) { return step.loss > 0; });
  return shown;
}

/// A panel with a logarithmic loss axis.
std::string draw(const std::string& phase, const std::vector<StepRecord>& steps, double top) {
  const auto [low, high] = std::ranges::minmax(steps, {}, &StepRecord::loss);
  const auto last = static_cast<double>(std::max<int64_t>(steps.back().step, 1));
  const double span = std::max(std::log(high.loss / low.loss), 1e-9);
  std::string line;
  for (const StepRecord& step : steps) {
    line += fmt::format("{:.1f},{:.1f} ", kMargin + static_cast<double>(step.step) / last * (kWidth - 2 * kMargin),
                        top + kMargin + std::log(high.loss / step.loss) / span * (kHeight - 2 * kMargin));
  }
  std::string panel =
      fmt::format("<text x=\"{}\" y=\"{}\">{}, {:.0f} steps</text>\n", kMargin, top + kMargin / 2, phase, last);
  panel += fmt::format("<text x=\"2\" y=\"{}\">{:.3g}</text>\n", top + kMargin + 4, high.loss);
  panel += fmt::format("<text x=\"2\" y=\"{}\">{:.3g}</text>\n", top + kHeight - kMargin + 4, low.loss);
  return panel + fmt::format("<polyline fill=\"none\" stroke=\"#1f5fa8\" points=\"{}\"/>\n", line);
}

}  // namespace

TrainLog::TrainLog(const std::filesystem::path& file) : file_(file) {
  cut_torn_line(file);
  stream_.open(file, std::ios::app);
  if (!stream_) fail(ErrorKind::output, fmt::format("{}: cannot be written", file.string()));
}

void TrainLog::append(const std::string& line) {
  stream_ << line << "\n" << std::flush;
  if (!stream_) fail(ErrorKind::output, fmt::format("{}: cannot be written: disk full?", file_.string()));
}

void TrainLog::begin(const TrainCall& call) {
  if (!stream_.is_open()) return;
  nlohmann::ordered_json line = {{"config", call.config}, {"processes", call.processes}, {"settings", call.settings}};
  if (!call.stage.empty()) line["stage"] = call.stage;
  if (call.from) line["from"] = *call.from;
  append(json_text(nlohmann::ordered_json{{"call", line}}));
}

void TrainLog::write(const LogEntry& entry) {
  if (!stream_.is_open()) return;
  nlohmann::ordered_json line = {{"stage", entry.phase},
                                 {"step", entry.step},
                                 {"steps", entry.steps},
                                 {"processes", entry.processes},
                                 {"learning_rate", entry.learning_rate},
                                 {"ms_per_step", entry.ms_per_step},
                                 {"gradient_norm", entry.gradient_norm},
                                 {"seconds", entry.seconds}};
  for (const auto& [name, value] : entry.statistics) line[name] = value;
  append(line.dump());
  const double loss = entry.statistics.empty() ? 0 : entry.statistics.front().second;
  log::info("{} {}/{}: loss {:.4f}, {:.1f} ms per step, gradient {:.2f}", entry.phase, entry.step, entry.steps, loss,
            entry.ms_per_step, entry.gradient_norm);
}

namespace {

using Json = nlohmann::json;

TrainCall call_of(const Json& call) {
  TrainCall read{.config = call.at("config"),
                 .stage = call.value("stage", ""),
                 .from = {},
                 .processes = json_integer<int>(call.at("processes")),
                 .settings = {}};
  if (call.contains("from")) read.from = call["from"].get<std::string>();
  if (call.contains("settings")) call["settings"].get_to(read.settings);
  return read;
}

/// A loss that was not finite is null in the log, and so is no number.
StepRecord step_of(const Json& line) {
  return {.step = json_integer<int64_t>(line.at("step")),
          .processes = json_integer<int>(line, "processes", 1),
          .milliseconds = line.at("ms_per_step"),
          .loss = line.at("loss"),
          .seconds = line.at("seconds")};
}

/// Adds what a line says. Throws Json::exception when that is no entry.
void read_line(const std::string& text, TrainRecord& record) {
  const auto line = parse_json<Json>(text);
  if (line.contains("call")) {
    const TrainCall call = call_of(line["call"]);
    if (!call.settings.empty()) record.settings = call.settings;
    if (record.call.config.empty()) record.call = call;
    return;
  }
  const auto name = line.at("stage").get<std::string>();
  const StepRecord step = step_of(line);
  const auto found = std::ranges::find(record.phases, name, &PhaseRecord::name);
  PhaseRecord& phase = found == record.phases.end() ? record.phases.emplace_back(PhaseRecord{name, {}}) : *found;
  phase.entries.push_back(step);
}

}  // namespace

TrainRecord read_train_log(const std::filesystem::path& log) {
  std::ifstream stream(log);
  if (!stream)
    fail(ErrorKind::input, fmt::format("{}: cannot be read", log.string()), "expected the log.jsonl of a training run");
  TrainRecord record;
  for (std::string line; std::getline(stream, line);) {
    try {
      read_line(line, record);
    } catch (const Json::exception&) {
      continue;  // half a line, or figures that are not finite
    }
  }
  return record;
}

void plot_losses(const TrainRecord& record, const std::filesystem::path& svg) {
  std::string panels;
  double height = 0;
  for (const PhaseRecord& phase : record.phases) {
    const std::vector<StepRecord> steps = shown_steps(phase);
    if (steps.empty()) continue;
    panels += draw(phase.name, steps, height);
    height += kHeight;
  }
  const std::string head = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      kWidth, std::max(height, kHeight));
  write_file(svg, head + panels + "</svg>\n", Existing::replace);
}

}  // namespace faststar
