#include "core/pipeline/batch/pipeline_runner.h"

#include <algorithm>
#include <string_view>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/pipeline/outputs.h"
#include "core/pipeline/untrained_use.h"

namespace faststar {
namespace {

Task task_of(const BatchItem& item) {
  if (item.options.contains("video")) return Task::video_to_video;
  return item.options.contains("image") ? Task::image_to_video : Task::text_to_video;
}

/// The settings of an item without the names of its input files: items of a kind cost the same.
FieldTexts kind_of(const BatchItem& item) {
  FieldTexts kind = item.options;
  for (const char* file : {"image", "video"}) {
    if (kind.contains(file)) kind[file] = "";
  }
  return kind;
}

/// The log of a single run is too long for thousands: drops lines below `least`, and shows each warning once per batch.
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

PipelineRunner::PipelineRunner(Pipeline& pipeline, ResolvedSettings resolved)
    : pipeline_(pipeline), resolved_(std::move(resolved)) {}

Request PipelineRunner::request_of(const BatchItem& item, const ItemFiles& files) const {
  ResolvedSettings resolved = resolved_;
  apply_entry(resolved.settings, item.options, item.origin);
  Config& config = resolved.settings.config;
  config.prompt.prompt = item.text;
  Request request = make_shared_request(task_of(item), resolved);
  set_prompt(request, item.text, config);
  warn_about_untrained_use(request);
  request.existing = Existing::replace;
  request.outputs = {{.seed = item.seed,
                      .file = files.video,
                      .codes = files.codes,
                      .settings_json = output_settings(request, config, item.seed),
                      .resumes = true}};
  check_video_output(files.video, format_of(request.size), request.encoding);
  warn_about_crf(files.video, request.encoding);
  request.codes = saved_codes(request);
  return request;
}

Plan PipelineRunner::plan_of(const BatchItem& item, const ItemFiles& files) const {
  return make_plan(pipeline_, request_of(item, files));
}

Plan PipelineRunner::estimate(const BatchItem& item) const {
  const bool lossless = resolved_.settings.config.output.encoding.lossless;
  return plan_of(item, {lossless ? "estimate.mkv" : "estimate.mp4", ""});
}

void PipelineRunner::check(const BatchItem& item) {
  const BriefLog brief(warnings_, log::Level::info);
  try {
    estimate(item);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;  // concerns this item only
  }
}

std::string PipelineRunner::problem_of(const BatchItem& item) {
  if (!item.problem.empty()) return item.problem;
  const BriefLog brief(warnings_, log::Level::warning);
  try {
    estimate(item);
    return "";
  } catch (...) {
    return current_error().what();
  }
}

const PipelineRunner::Estimate* PipelineRunner::estimate_of(const BatchItem& item) {
  const FieldTexts kind = kind_of(item);
  if (const auto known = estimates_.find(kind); known != estimates_.end()) return &known->second;
  const BriefLog brief(warnings_, log::Level::warning);
  try {
    const Plan plan = estimate(item);
    return &estimates_.emplace(kind, Estimate{plan.costs, plan.time}).first->second;
  } catch (const std::exception&) {
    return nullptr;  // fails again when it is made, and is reported then
  }
}

std::map<Stage, double> PipelineRunner::costs_of(const BatchItem& item) {
  const Estimate* const one = estimate_of(item);
  if (one == nullptr) return {};
  auto costs = one->costs;
  if (load_counted_) costs.erase(Stage::load);
  load_counted_ = true;
  return costs;
}

PipelineRunner::TotalTime PipelineRunner::time_of(const std::vector<BatchItem>& items) {
  TimeEstimate all{.measured = true};
  int64_t videos = 0;
  bool is_known = true;
  for (const BatchItem& item : items) {
    const Estimate* const one = item.problem.empty() ? estimate_of(item) : nullptr;
    if (one == nullptr) continue;
    ++videos;
    is_known = is_known && one->time;
    if (!is_known) continue;
    all.seconds += one->time->seconds - one->time->first;
    all.first = std::max(all.first, one->time->first);
    all.measured = all.measured && one->time->measured;
  }
  all.seconds += all.first;
  return {videos, is_known && videos > 0 ? std::optional(all) : std::nullopt};
}

/// The codes of an earlier attempt that was stopped while decoding. A continued video also keeps the sound of its
/// input, so that it is generated again.
std::optional<SavedCodes> PipelineRunner::saved_codes(const Request& request) const {
  const RequestedOutput& output = request.outputs.front();
  std::error_code ignored;
  if (request.task == Task::video_to_video || !std::filesystem::exists(*output.codes, ignored)) return std::nullopt;
  try {
    SavedCodes codes = read_codes(*output.codes);
    const bool same =
        codes.settings_json == output.settings_json && codes.vae_fingerprint == pipeline_.model().vae_fingerprint();
    return same ? std::optional(std::move(codes)) : std::nullopt;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    return std::nullopt;  // the file was truncated when that attempt ended
  }
}

RunResult PipelineRunner::run(const BatchItem& item, const ItemFiles& files, Progress& progress) {
  const BriefLog brief(warnings_, log::Level::warning);
  try {
    return run_plan(pipeline_, plan_of(item, files), progress);
  } catch (...) {
    throw current_error();  // LibTorch errors count for this item too
  }
}

}  // namespace faststar
