#include "cli/progress/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/progress/process.h"

namespace faststar {
namespace {

constexpr const char* kClearLine = "\r\x1b[K";

int terminal_columns() {
  winsize size = {};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool stderr_can_show_a_bar() {
  const char* const terminal = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

int percent(const ProgressState& state) { return static_cast<int>(state.fraction * 100); }

std::string eta_text(const ProgressState& state) { return state.eta_s ? clock_text(*state.eta_s) + " left" : ""; }

double rounded(double seconds) { return std::round(seconds * 10) / 10; }

/// One line for a terminal of `columns`: stage, bar, percent, time left, detail. Never longer. What a narrow terminal
/// has no room for is left out: the detail first, then the bar.
std::string bar_line(const ProgressState& state, int columns) {
  constexpr int kMostBar = 30, kLeastBar = 5;
  const std::string stage = fmt::format("{:<6} ", stage_name(state.stage));
  const std::string numbers = fmt::format("{:>3} %  {:<12}", percent(state), eta_text(state));
  const int room = columns - 1 - static_cast<int>(stage.size() + numbers.size() + std::string_view("[] ").size());
  const int bar = std::min(room, kMostBar);
  std::string line = stage;
  if (bar >= kLeastBar) {
    const int filled = static_cast<int>(state.fraction * bar);
    line += fmt::format("[{}{}] ", std::string(filled, '='), std::string(bar - filled, ' '));
  }
  line += fmt::format("{} {}", numbers, state.detail);
  return line.substr(0, static_cast<size_t>(std::max(columns - 1, 1)));
}

/// One line for a log.
std::string plain_line(const ProgressState& state) {
  std::string line = fmt::format("{:>3} %  {}", percent(state), stage_name(state.stage));
  if (!state.detail.empty()) line += fmt::format(", {}", state.detail);
  line += fmt::format(", {} elapsed", clock_text(state.elapsed_s));
  return state.eta_s ? fmt::format("{}, {}", line, eta_text(state)) : line;
}

/// One JSON object: {"stage","detail","fraction","elapsed_s","eta_s"|null}.
std::string json_line(const ProgressState& state) {
  nlohmann::ordered_json json;
  json["stage"] = stage_name(state.stage);
  json["detail"] = state.detail;
  json["fraction"] = std::round(state.fraction * 1e4) / 1e4;
  json["elapsed_s"] = rounded(state.elapsed_s);
  json["eta_s"] = state.eta_s ? nlohmann::ordered_json(rounded(*state.eta_s)) : nullptr;
  return json.dump();
}

}  // namespace

std::string clock_text(double seconds) {
  const auto total = static_cast<int64_t>(std::lround(std::clamp(seconds, 0.0, 1e9)));
  const int64_t hours = total / 3600;
  if (hours == 0) return fmt::format("{}:{:02}", total / 60, total % 60);
  return fmt::format("{}:{:02}:{:02}", hours, total / 60 % 60, total % 60);
}

ProgressOutput standard_progress_output() {
  return {.write = [](const std::string& text) { std::fputs(text.c_str(), stderr); },
          .seconds =
              [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); },
          .is_terminal = stderr_can_show_a_bar(),
          .columns = terminal_columns()};
}

ProgressDisplay::ProgressDisplay(ProgressStyle style, ProgressOutput output)
    : style_(style), output_(std::move(output)), start_(output_.seconds()) {
  if (style_ == ProgressStyle::automatic) style_ = output_.is_terminal ? ProgressStyle::bar : ProgressStyle::plain;
  if (style_ != ProgressStyle::bar) return;
  log_sink_ = log::set_sink([this](log::Level level, std::string_view line) { log_above_bar(level, line); });
}

ProgressDisplay::~ProgressDisplay() {
  if (style_ != ProgressStyle::bar) return;
  log::set_sink(log_sink_);
  if (!bar_.empty()) output_.write(kClearLine);
}

void ProgressDisplay::plan(Stage stage, double cost) {
  const std::lock_guard lock(mutex_);
  costs_[stage].planned += cost;
}

void ProgressDisplay::restart() {
  const std::lock_guard lock(mutex_);
  costs_.clear();
  state_ = {};
  start_ = output_.seconds();
  shown_at_ = -1;
  shown_fraction_ = 0;
}

void ProgressDisplay::advance(Stage stage, double cost, std::string_view detail) {
  const std::lock_guard lock(mutex_);
  costs_[stage].done += cost;
  update_state(stage, detail);
  switch (style_) {
    case ProgressStyle::bar: return show_bar();
    case ProgressStyle::plain: return show_plain();
    case ProgressStyle::json: return output_.write(json_line(state_) + "\n");
    case ProgressStyle::automatic:
    case ProgressStyle::none: return;
  }
}

bool ProgressDisplay::stop_requested() const { return faststar::stop_requested(); }

void ProgressDisplay::update_state(Stage stage, std::string_view detail) {
  double planned = 0;
  double done = 0;
  for (const auto& [name, cost] : costs_) {
    planned += cost.planned;
    done += std::min(cost.done, cost.planned);
  }
  state_.stage = stage;
  state_.detail = detail;
  // A stage that is planned late must not move the bar back.
  if (planned > 0) state_.fraction = std::max(state_.fraction, done / planned);
  state_.elapsed_s = output_.seconds() - start_;
  constexpr double kMinFraction = 0.005;  // before, an estimate would be noise
  if (state_.fraction >= kMinFraction) state_.eta_s = state_.elapsed_s * (1 / state_.fraction - 1);
}

void ProgressDisplay::show_bar() {
  constexpr double kRedrawSeconds = 0.1;
  const bool finished = state_.fraction >= 1;
  if (shown_at_ >= 0 && !finished && state_.elapsed_s - shown_at_ < kRedrawSeconds) return;
  shown_at_ = state_.elapsed_s;
  bar_ = bar_line(state_, output_.columns);
  output_.write(kClearLine + bar_);
}

/// A line per stage, every ten percent, and every half minute.
void ProgressDisplay::show_plain() {
  const bool due = shown_at_ < 0 || state_.stage != shown_stage_ || state_.fraction - shown_fraction_ >= 0.1 ||
                   state_.fraction >= 1 || state_.elapsed_s - shown_at_ >= 30;
  if (!due) return;
  shown_at_ = state_.elapsed_s;
  shown_stage_ = state_.stage;
  shown_fraction_ = state_.fraction;
  output_.write(plain_line(state_) + "\n");
}

void ProgressDisplay::log_above_bar(log::Level level, std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (!bar_.empty()) output_.write(kClearLine);
  log_sink_(level, line);
  output_.write(bar_);
}

}  // namespace faststar
