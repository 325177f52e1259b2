#pragma once
#include <array>
#include <cstddef>
#include <string_view>

namespace faststar {

/// The parts of a run, in the order they happen.
enum class Stage { load, text, source, tokens, preview, decode, encode, train, evaluate, convert };

constexpr std::string_view stage_name(Stage stage) {
  constexpr std::array<std::string_view, 10> kNames = {"load",   "text",   "source", "tokens",   "preview",
                                                       "decode", "encode", "train",  "evaluate", "convert"};
  return kNames[static_cast<size_t>(stage)];
}

/// How core reports progress and learns that it should stop. Core never draws: cli decides how progress looks.
class Progress {
 public:
  virtual ~Progress() = default;
  /// Announces the cost of a stage before any work starts, in estimated seconds. Only the proportions matter.
  virtual void plan(Stage stage, double cost) = 0;
  /// What is planned from now on is a run of its own: nothing of it is done yet.
  virtual void restart() {}
  /// `cost` of `stage` is done; `detail` says which part ("scale 12/30").
  virtual void advance(Stage stage, double cost, std::string_view detail) = 0;
  /// True once the user asked to stop (Ctrl-C). Long loops check after every step.
  virtual bool stop_requested() const = 0;
};

}  // namespace faststar
