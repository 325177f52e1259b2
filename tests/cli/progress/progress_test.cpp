#include "cli/progress/progress.h"

#include <nlohmann/json.hpp>

#include "support/support.h"

namespace faststar {
namespace {

/// Keeps what a display writes, at times that the test sets.
struct Recorder {
  std::vector<std::string> written;
  double now = 100;
  ProgressOutput output(bool is_terminal = false) {
    return {.write = [this](const std::string& text) { written.push_back(text); },
            .seconds = [this] { return now; },
            .is_terminal = is_terminal,
            .columns = 60};
  }
};

}  // namespace

TEST_CASE("stages count by their cost and the time left follows", "[cli]") {
  Recorder recorder;
  ProgressDisplay display(ProgressStyle::json, recorder.output());
  display.plan(Stage::text, 10);
  display.plan(Stage::tokens, 90);
  recorder.now += 1;
  display.advance(Stage::text, 10, "");
  recorder.now += 4;
  display.advance(Stage::tokens, 40, "scale 3/30");
  REQUIRE(recorder.written.size() == 2);
  const auto line = nlohmann::json::parse(recorder.written[1]);
  CHECK(line["stage"] == "tokens");
  CHECK(line["detail"] == "scale 3/30");
  CHECK(line["fraction"] == 0.5);
  CHECK(line["elapsed_s"] == 5);
  CHECK(line["eta_s"] == 5);
}

TEST_CASE("progress never goes back or past the end", "[cli]") {
  Recorder recorder;
  ProgressDisplay display(ProgressStyle::json, recorder.output());
  display.plan(Stage::tokens, 10);
  display.advance(Stage::tokens, 25, "");
  CHECK(nlohmann::json::parse(recorder.written.back())["fraction"] == 1);
  display.plan(Stage::decode, 30);
  display.advance(Stage::decode, 1, "");
  CHECK(nlohmann::json::parse(recorder.written.back())["fraction"] == 1);
}

TEST_CASE("a pipe gets few plain lines, a terminal one bar", "[cli]") {
  Recorder pipe;
  {
    ProgressDisplay display(ProgressStyle::automatic, pipe.output());
    display.plan(Stage::tokens, 1000);
    for (int i = 0; i < 1000; ++i) display.advance(Stage::tokens, 1, "step");
  }
  CHECK(pipe.written.size() <= 12);
  CHECK(pipe.written.back() == "100 %  tokens, step, 0:00 elapsed, 0:00 left\n");

  Recorder terminal;
  {
    ProgressDisplay display(ProgressStyle::automatic, terminal.output(true));
    display.plan(Stage::tokens, 2);
    display.advance(Stage::tokens, 1, "a detail much longer than this terminal is wide");
    CHECK(terminal.written.back().starts_with("\r\x1b[Ktokens [===============               ]  50 %"));
    CHECK(terminal.written.back().find('\n') == std::string::npos);
    CHECK(terminal.written.back().size() <= 60 + 3);
  }
  CHECK(terminal.written.back() == "\r\x1b[K");
}

TEST_CASE("a narrow terminal keeps percent and time", "[cli]") {
  Recorder terminal;
  ProgressOutput narrow = terminal.output(true);
  narrow.columns = 30;
  ProgressDisplay display(ProgressStyle::bar, narrow);
  display.plan(Stage::tokens, 4);
  terminal.now += 60;
  display.advance(Stage::tokens, 1, "scale 12/30");
  CHECK_THAT(terminal.written.back(), ContainsSubstring("tokens  25 %  3:00 left"));
  CHECK(terminal.written.back().size() <= 29 + std::string("\r\x1b[K").size());
}

TEST_CASE("log lines stand above the bar", "[cli]") {
  std::vector<std::string> order;
  const log::Sink before = log::set_sink([&](log::Level, std::string_view line) { order.emplace_back(line); });
  {
    Recorder recorder;
    ProgressOutput output = recorder.output(true);
    output.write = [&](const std::string& text) { order.push_back(text == "\r\x1b[K" ? "clear" : "bar"); };
    ProgressDisplay display(ProgressStyle::bar, output);
    display.plan(Stage::tokens, 2);
    display.advance(Stage::tokens, 1, "");
    log::info("a line");
  }
  log::set_sink(before);
  CHECK(order == std::vector<std::string>{"bar", "clear", "a line", "bar", "clear"});
}

TEST_CASE("times are short and readable", "[cli]") {
  CHECK(clock_text(0.4) == "0:00");
  CHECK(clock_text(725) == "12:05");
  CHECK(clock_text(3723) == "1:02:03");
}

}  // namespace faststar
