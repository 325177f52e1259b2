#include "cli/engine_item_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string_view>

#include "cli/plan_job.h"
#include "cli/plan_source.h"
#include "cli/progress/report_error.h"
#include "core/base/log.h"
#include "core/model/text/prompt.h"
#include "core/pipeline/codes_file.h"
#include "core/pipeline/generation.h"
#include "core/pipeline/redecode.h"
#include "core/pipeline/run_plan.h"

namespace faststar {
namespace {

Task task_of(const BatchItem& item) {
  if (item.options.contains("video")) return Task::video_to_video;
  return item.options.contains("image") ? Task::image_to_video : Task::text_to_video;
}

/// Its own settings, whatever picture or video it starts from: items of a kind cost the same.
FieldTexts kind_of(const BatchItem& item) {
  FieldTexts kind = item.options;
  for (const char* file : {"image", "video"}) {
    if (kind.contains(file)) kind[file] = "";
  }
  return kind;
}

/// Keeps what a run would cost.
class CostRecorder final : public Progress {
 public:
  void plan(Stage stage, double cost) override { costs[stage] += cost; }
  void advance(Stage, double, std::string_view) override {}
  bool stop_requested() const override { return false; }
  std::map<Stage, double> costs;
};

/// What the engine says of a single run is too much for thousands: what is below `least` is dropped, and each warning
/// shown once a batch.
class BriefLog {
 public:
  BriefLog(std::set<std::string, std::less<>>& shown, log::Level least) {
    before_ = log::set_sink([this, &shown, least](log::Level level, std::string_view line) {
      const bool again = level == log::Level::warning && !shown.emplace(line).second;
      if (level >= least && !again && before_) before_(level, line);
    });
  }
  ~BriefLog() { log::set_sink(std::move(before_)); }
  BriefLog(const BriefLog&) = delete;
  BriefLog& operator=(const BriefLog&) = delete;

 private:
  log::Sink before_;
};

}  // namespace

EngineItemRunner::EngineItemRunner(Engine& engine, ResolvedSettings resolved)
    : engine_(engine), resolved_(std::move(resolved)), tokenizer_(engine.model().vocabulary) {}

GenerateJob EngineItemRunner::plan(const BatchItem& item, const ItemFiles& files) const {
  ResolvedSettings resolved = resolved_;
  Config& config = resolved.settings.config;
  apply_entry(resolved.settings, item.options, item.origin);
  const std::string prompt = checked_prompt(item.text, item.origin, ErrorKind::input);
  config.prompt.prompt = prompt;
  GenerateJob job = plan_shared(task_of(item), resolved);
  warn_about_mechanics(job);
  set_prompt(job, prompt, config);
  job.existing = Existing::replace;
  job.outputs = {{.seed = item.seed,
                  .file = files.video,
                  .codes = files.codes,
                  .settings_json = output_settings(job, config, item.seed)}};
  job.sound = plan_sound(job, files.video);
  return job;
}

void EngineItemRunner::check(const BatchItem& item) {
  const BriefLog brief(warnings_, log::Level::info);
  try {
    const GenerateJob job = plan(item, {"check.mp4", ""});
    check_generation(engine_, job);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;  // its picture is its own matter
  }
}

void EngineItemRunner::announce(const BatchItem& item, Progress& progress) {
  auto known = costs_.find(kind_of(item));
  if (known == costs_.end()) {
    try {
      known = costs_.emplace(kind_of(item), estimate(item)).first;
    } catch (const std::exception&) {
      return;  // it fails again when it is made, and is reported then
    }
  }
  for (const auto& [stage, cost] : known->second) progress.plan(stage, cost);
  known->second.erase(Stage::load);  // once a batch
}

EngineItemRunner::Costs EngineItemRunner::estimate(const BatchItem& item) {
  const BriefLog brief(warnings_, log::Level::warning);
  const GenerateJob job = plan(item, {"estimate.mp4", ""});
  CostRecorder recorder;
  announce_costs(engine_, job, plan_run(engine_, job), recorder);
  if (!costs_.empty()) recorder.costs.erase(Stage::load);
  return recorder.costs;
}

/// Codes of an earlier attempt that was stopped while it decoded. A video that goes on from another has its sound
/// to keep too: that one is made anew.
bool EngineItemRunner::decode_saved_codes(const GenerateJob& job, Progress& progress) {
  const JobOutput& output = job.outputs.front();
  std::error_code ignored;
  if (job.task == Task::video_to_video || !std::filesystem::exists(*output.codes, ignored)) return false;
  try {
    RedecodeJob decode{.codes = read_codes(*output.codes),
                       .output = output,
                       .encoding = job.encoding,
                       .existing = Existing::replace,
                       .first_frame = job.first_frame};
    if (decode.codes.settings_json != output.settings_json) return false;
    redecode(engine_, decode, progress);
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    return false;  // the file was cut short when that attempt ended
  }
}

bool EngineItemRunner::is_cut(const GenerateJob& job) const {
  const int64_t limit = std::min<int64_t>(job.text_limit, engine_.model().star_architecture.text_rows);
  return !tokenizer_.encode(job.model_prompt, limit).cut.empty();
}

ItemResult EngineItemRunner::run(const BatchItem& item, const ItemFiles& files, Progress& progress) {
  const BriefLog brief(warnings_, log::Level::warning);
  try {
    const GenerateJob job = plan(item, files);
    ItemResult result{.device = job.setup.device, .prompt = job.model_prompt, .text_cut = is_cut(job)};
    const auto start = std::chrono::steady_clock::now();
    if (decode_saved_codes(job, progress)) {
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
      result.seconds[std::string(stage_name(Stage::decode))] = elapsed.count();
      return result;
    }
    const RunRecord record = run_generation(engine_, job, progress);
    result.seconds.insert(record.seconds.begin(), record.seconds.end());
    result.peak_bytes = record.peak_bytes;
    return result;
  } catch (...) {
    throw current_error();  // LibTorch's errors too are this item's own
  }
}

}  // namespace faststar
