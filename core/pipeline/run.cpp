#include "core/pipeline/run.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <nlohmann/json.hpp>

#include "core/base/device.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/media/metadata.h"
#include "core/model/pyramid/codes.h"
#include "core/pipeline/kept_codes.h"
#include "core/pipeline/outputs.h"

namespace faststar {
namespace {

using RunClock = std::chrono::steady_clock;

double seconds_since(RunClock::time_point start) {
  return std::chrono::duration<double>(RunClock::now() - start).count();
}

}  // namespace

/// Measures one stage from its construction on: wall-clock seconds and most device bytes.
class RunStages::Meter {
 public:
  Meter(RunStages& stages, Stage stage) : stages_(stages), stage_(stage), start_(RunClock::now()) {
    reset_peak_device_bytes(stages.pipeline_.device());
  }
  /// Waits for the device, logs one line and adds the stage to the result.
  void finish() const {
    const at::Device device = stages_.pipeline_.device();
    synchronize(device);
    const double elapsed = seconds_since(start_);
    stages_.result_.seconds[std::string(stage_name(stage_))] += elapsed;
    const int64_t peak = peak_device_bytes(device);
    stages_.result_.peak_bytes = std::max(stages_.result_.peak_bytes, peak);
    const std::string memory = peak > 0 ? fmt::format(", peak {:.1f} GB", static_cast<double>(peak) * 1e-9) : "";
    log::info("{}: {:.2f} s{}", stage_name(stage_), elapsed, memory);
  }

 private:
  RunStages& stages_;
  Stage stage_;
  RunClock::time_point start_;
};

/// Reports every pass of a run to the progress, the trace and whoever asked.
class RunStages::StepWatch final : public GenerationObserver {
 public:
  StepWatch(RunStages& stages, const StepListener& listener, ReductionTrace* trace)
      : stages_(stages), listener_(listener), trace_(trace) {
    const Workload& work = stages.plan_.work;
    stages.result_.step_seconds.assign(work.schedule.steps(work.repetitions).size(), 0);
  }
  void on_begin() override {
    synchronize(stages_.pipeline_.device());
    start_ = RunClock::now();
  }
  void on_reduced_step(const ReducedStep& step) override {
    if (trace_) trace_->add_reduced(step);
  }
  void on_step(const Step& step, const std::vector<Tensor>& clips) override {
    const Workload& work = stages_.plan_.work;
    synchronize(stages_.pipeline_.device());  // progress counts finished work, and a stop must not wait for a queue
    stages_.result_.step_seconds[static_cast<size_t>(step.index)] = seconds_since(start_);
    stages_.progress_.advance(Stage::tokens, step_seconds(work, step),
                              fmt::format("scale {}/{}", step.scale + 1, work.schedule.scales().size()));
    stages_.stop_if_asked();
    const Scale& scale = work.schedule.scales()[static_cast<size_t>(step.scale)];
    if (trace_) trace_->add_step(step, scale, tokens_of(work, step), work.guidance_rows.of(step));
    if (listener_) listener_(step, clips);
    start_ = RunClock::now();
  }

 private:
  RunStages& stages_;
  const StepListener& listener_;
  ReductionTrace* trace_;
  RunClock::time_point start_;  ///< of the step at hand
};

RunStages::RunStages(const Pipeline& pipeline, const Plan& plan, Progress& progress)
    : pipeline_(pipeline),
      model_(pipeline.model()),
      plan_(plan),
      progress_(progress),
      group_(pipeline.group()),
      result_{.device = model_.setup().device, .prompt = plan.request.model_prompt, .text_cut = plan.ids.cut} {
  for (const auto& [stage, cost] : plan.costs) progress.plan(stage, cost);
}

/// Every process of a group has to be here: they end after the same step.
void RunStages::stop_if_asked() const {
  if (group_.agree(progress_.stop_requested())) fail(ErrorKind::interrupted, "stopped; finished files are kept");
}

TextFeatures RunStages::encode_text() {
  const Meter meter(*this, Stage::text);
  if (plan_.memory.warms_up) model_.warm_up_ahead(plan_.work.schedule, plan_.request.generation);
  model_.text_encoder();  // first, because the prompt waits for it
  if (plan_.memory.loads_ahead) model_.load_transformer_ahead();
  TextFeatures features = pipeline_.encode_text(plan_.ids);
  if (plan_.memory.mode.residency != Residency::everything) model_.unload_text_encoder();
  progress_.advance(Stage::text, text_seconds(plan_.work), "prompt");
  meter.finish();
  stop_if_asked();
  return features;
}

std::vector<Tensor> RunStages::encode_source() {
  if (!plan_.source) return {};
  return condition_bits(encode_source_pixels(), plan_.work.schedule, plan_.work.repetitions,
                        plan_.request.detail_scale_min_tokens);
}

Tensor RunStages::encode_source_pixels() {
  const Meter meter(*this, Stage::source);
  const Tensor& pixels = *plan_.source;
  const double frame_cost = encode_seconds(plan_.work) / static_cast<double>(pixels.size(2));
  int64_t done = 0;
  const auto on_slice = [&](int64_t frames) {
    synchronize(pipeline_.device());
    progress_.advance(Stage::source, frame_cost * static_cast<double>(frames - done),
                      fmt::format("frame {}/{}", frames, pixels.size(2)));
    done = frames;
    stop_if_asked();
  };
  const bool reference = model_.setup().kernels == Kernels::reference;
  Tensor features = pipeline_.encode(
      pixels, {.bits = reference ? ConvolutionBits::float32 : ConvolutionBits::tf32, .on_slice = on_slice});
  if (one_part()) model_.unload_vae();
  release_cached_memory(pipeline_.device());
  meter.finish();
  return features;
}

void RunStages::load_weights() {
  const double cost = load_cost(model_, plan_.work, plan_.memory);
  const Meter meter(*this, Stage::load);
  model_.load_transformer_ahead();
  if (!one_part()) model_.vae(VaeParts::decoder);  // the small one, while the other one comes
  model_.transformer();
  progress_.advance(Stage::load, cost, "weights");
  meter.finish();
  stop_if_asked();
}

Tensor RunStages::generate(const GenerationInput& input, int64_t seed, const StepListener& on_step,
                           ReductionTrace* trace) {
  if (!model_.has_transformer()) load_weights();
  for (const Stage own : {Stage::tokens, Stage::preview, Stage::decode}) {
    result_.seconds.erase(std::string(stage_name(own)));
  }
  const Meter meter(*this, Stage::tokens);
  GenerationSettings settings = plan_.request.generation;
  settings.seed = static_cast<uint64_t>(seed);
  StepWatch watch(*this, on_step, trace);
  Tensor codes = pipeline_.generate(plan_.work.schedule, settings, input, &watch);
  meter.finish();
  const auto preview = result_.seconds.find(stage_name(Stage::preview));
  if (preview != result_.seconds.end()) result_.seconds["tokens"] -= preview->second;  // which ran in between
  if (one_part()) model_.unload_transformer();
  release_cached_memory(pipeline_.device());
  return codes;
}

std::vector<Tensor> RunStages::decode(Stage stage, const Tensor& codes, const OutputFiles& files,
                                      const ShownFrames& shown, bool keep) {
  // A preview decodes while tokens are made: their peak so far would be lost with the count that begins here.
  if (stage == Stage::preview) result_.peak_bytes = std::max(result_.peak_bytes, peak_device_bytes(pipeline_.device()));
  const Meter meter(*this, stage);
  const int64_t total = frames_of_latents(codes.size(2));
  const double frame_cost = decode_seconds(plan_.work, codes.size(2)) / static_cast<double>(total);
  int64_t reported = 0;  // a decode that begins again counts from where the first one came to
  const auto decode_in_slices = [&](const DecodeOptions& options) {
    int64_t done = 0;
    const auto on_done = [&](int64_t frames) {
      done += frames;
      const int64_t more = std::max<int64_t>(0, done - reported);
      reported += more;
      progress_.advance(stage, frame_cost * static_cast<double>(more), fmt::format("frame {}/{}", done, total));
      if (group_.size() == 1) stop_if_asked();
    };
    const FrameFiles::Source source{codes.size(2), pipeline_.device(), keep};
    return decode_into([&] { return std::make_unique<FrameFiles>(files, shown, source, on_done); }, codes, options);
  };
  const DecodeOptions options = plan_.memory.mode.decode;
  std::vector<Tensor> kept;
  try {
    kept = decode_in_slices(options);
  } catch (const std::exception& error) {
    if (group_.size() > 1 || !means_out_of_memory(error) || !make_room_for_decode(stage)) throw;
    kept = decode_in_slices({.slice_latents = 1});
  }
  meter.finish();
  return kept;
}

/// Decodes all frames; they go into files in the process that writes.
std::vector<Tensor> RunStages::decode_into(const OpenFiles& open, const Tensor& codes, const DecodeOptions& options) {
  std::unique_ptr<FrameFiles> files;
  std::exception_ptr lost;  // what ended the files: the other processes need this one until all is decoded
  const auto write = [&](const auto& action) {
    if (!writes() || lost) return;
    try {
      action();
    } catch (...) {
      if (group_.size() == 1) throw;
      lost = std::current_exception();
    }
  };
  write([&] { files = open(); });
  const auto on_frames = [&](const Tensor& decoded) {
    if (group_.size() > 1) stop_if_asked();
    write([&] { files->push(decoded); });
  };
  pipeline_.decode(codes, on_frames, options);
  if (lost) std::rethrow_exception(lost);
  synchronize(pipeline_.device());
  const auto decoded_at = RunClock::now();
  std::vector<Tensor> frames;
  write([&] { frames = files->finish(); });
  if (lost) std::rethrow_exception(lost);
  result_.file_seconds = seconds_since(decoded_at);
  return frames;
}

/// Somebody else took memory meanwhile: frees what can be freed for another try in the shortest slices. False when that
/// would change nothing. During a preview the transformer is at work.
bool RunStages::make_room_for_decode(Stage stage) {
  const bool unloaded = stage == Stage::decode && model_.unload_for_decode();
  release_cached_memory(pipeline_.device());
  if (unloaded) log::info("memory is short: the decode begins again without the transformer");
  return unloaded || plan_.memory.mode.decode.slice_latents > 1;
}

void RunStages::finish_video() {
  const auto outputs = static_cast<double>(plan_.request.outputs.size());
  progress_.advance(Stage::encode, plan_.costs.at(Stage::encode) / outputs, "file");
  if (one_part()) model_.unload_vae();
}

OutputFiles RunStages::files_of(const RequestedOutput& output) const {
  const Request& request = plan_.request;
  return {.file = output.file,
          .frames_dir = output.frames_dir,
          .format = format_of(request.size),
          .encoding = request.encoding,
          .extras = {comment_of(output), plan_.sound},
          .existing = request.existing};
}

std::string RunStages::comment_of(const RequestedOutput& output) const {
  const Request& request = plan_.request;
  if (!request.metadata) return "";
  std::string run;
  if (!request.codes) {  // of saved codes, only the run that made them could tell
    nlohmann::ordered_json json;
    json["device"] = device_name(model_.device());
    json["attention"] = attention_text(request.generation.attention, model_.device(), model_.dtype());
    json["checkpoints"] = model_.fingerprints();
    for (const auto& [stage, time] : result_.seconds) json["seconds"][stage] = time;
    run = json_text(json);
  }
  return to_comment({.version = FASTSTAR_VERSION,
                     .command = request.command,
                     .settings_json = output.settings_json,
                     .run_json = run});
}

namespace {

/// The outputs of one plan, one after the other.
class OutputRun {
 public:
  OutputRun(const Pipeline& pipeline, const Plan& plan, Progress& progress)
      : pipeline_(pipeline), request_(plan.request), plan_(plan), stages_(pipeline, plan, progress) {}

  RunResult make_all(const std::function<void(const std::filesystem::path&)>& on_file) {
    GenerationInput input;
    if (!request_.codes) input = {.text = stages_.encode_text(), .given_bits = stages_.encode_source()};
    for (const RequestedOutput& output : request_.outputs) {
      if (request_.codes) {
        decode(output, at::cat(request_.codes->clips, 2));
      } else {
        make(output, input);
      }
      stages_.finish_video();
      output_seconds_.push_back(stages_.result().seconds);
      if (on_file) on_file(output.file);
    }
    RunResult result = stages_.result();
    result.side_error = side_error_;
    result.output_seconds = output_seconds_;
    return result;
  }

 private:
  /// Writes a file that goes with the video. A full disk there must not cost the video: says so, and returns false.
  template <typename Write>
  bool write_side_file(Write&& write) {
    try {
      write();
      return true;
    } catch (const std::exception& thrown) {
      const Error error = current_error();
      // Without memory a process of a group has left the others alone in the middle of their work.
      const bool has_no_memory = means_out_of_memory(thrown) && pipeline_.group().size() == 1;
      if (error.kind() != ErrorKind::output && !has_no_memory) throw;
      log::warn("{}; the run goes on without this file", error.what());
      if (side_error_.empty()) side_error_ = error.what();
      return false;
    }
  }

  /// The codes of a video. When that fails in a later clip, the clips before it are kept.
  Tensor generate(const RequestedOutput& output, const GenerationInput& input, const RunStages::StepListener& on_step,
                  ReductionTrace* trace) {
    const Schedule& schedule = plan_.work.schedule;
    const auto given = static_cast<size_t>(std::max(1, plan_.work.given_clips));
    std::vector<Tensor> finished;
    std::optional<KeptCodes> ahead;  // another process that fails ends this one, which cannot keep anything then
    const auto keep_finished = [&](const Step& step, const std::vector<Tensor>& clips) {
      on_step(step, clips);
      if (!schedule.is_referenced_later(step)) return;
      finished.push_back(clips.back().cpu());
      const bool may_be_ended = pipeline_.group().size() > 1 && stages_.writes();
      if (!may_be_ended || finished.size() <= given || output.resumes) return;
      if (ahead) ahead->release();
      ahead.emplace(output.file, saved_codes(output, finished), ample_bytes(request_), decode_options(request_, output),
                    KeptCodes::Clips::first);
    };
    try {
      const Tensor codes = stages_.generate(input, output.seed, keep_finished, trace);
      if (ahead) ahead->release();
      return codes;
    } catch (const std::exception&) {
      const Error error = current_error();
      if (ahead && error.kind() == ErrorKind::interrupted) ahead->release();
      const bool worth_it =
          finished.size() > given && error.kind() != ErrorKind::interrupted && !output.resumes && !ahead;
      if (worth_it && stages_.writes()) {
        keep_finished_clips(request_, output, saved_codes(output, std::move(finished)));
      }
      throw;
    }
  }

  void make(const RequestedOutput& output, const GenerationInput& input) {
    bool previewed = false;
    bool can_preview = output.preview.has_value();
    const auto on_step = [&](const Step& step, const std::vector<Tensor>& clips) {
      if (!can_preview || !shows_preview(step)) return;
      const bool written = write_side_file(
          [&] { preview(output, at::cat(clips, 2), previewed ? Existing::replace : request_.existing); });
      can_preview = previewed = pipeline_.group().agree(written);
    };
    ReductionTrace trace;
    const Tensor codes = generate(output, input, on_step, output.trace ? &trace : nullptr);
    if (!stages_.writes()) return decode(output, codes);
    const Tensor host_codes = codes.cpu();  // at once: splitting it on the device would need memory there
    const bool saved = output.codes && write_side_file([&] {
                         write_codes(*output.codes, saved_codes(output, split_clips(host_codes, plan_.work.schedule)),
                                     request_.existing);
                       });
    std::optional<KeptCodes> kept;
    if (saved && !output.resumes) kept.emplace(*output.codes, decode_options(request_, output));
    if (!saved) {
      kept.emplace(output.file, saved_codes(output, split_clips(host_codes, plan_.work.schedule)),
                   ample_bytes(request_), decode_options(request_, output));
    }
    if (output.trace) {
      write_side_file([&] { trace.write(*output.trace, output.settings_json, output.seed, request_.existing); });
    }
    decode(output, codes);
    if (kept) kept->release();
  }

  void decode(const RequestedOutput& output, const Tensor& codes) {
    stages_.decode(Stage::decode, codes, stages_.files_of(output), plan_.shown);
  }

  SavedCodes saved_codes(const RequestedOutput& output, std::vector<Tensor> clips) const {
    return {std::move(clips), request_.command, output.settings_json, pipeline_.model().vae_fingerprint()};
  }

  /// Once a clip, for those that are made.
  bool shows_preview(const Step& step) const {
    const Schedule& schedule = plan_.work.schedule;
    return step.clip > 0 && step.clip >= plan_.work.given_clips && step.last_repetition &&
           schedule.index_in_clip(step.scale) == preview_scale(schedule);
  }

  /// The clips so far. The file is replaced when the next clip has come as far.
  void preview(const RequestedOutput& output, const Tensor& codes, Existing existing) {
    OutputFiles files = stages_.files_of(output);
    files.file = *output.preview;
    files.frames_dir.reset();
    files.extras = {};
    files.encoding.lossless = false;
    files.existing = existing;
    stages_.decode(Stage::preview, codes, files, plan_.shown);
    if (stages_.writes()) log::info("preview: {}", files.file.string());
  }

  const Pipeline& pipeline_;
  const Request& request_;
  const Plan& plan_;
  RunStages stages_;
  std::string side_error_;
  std::vector<std::map<std::string, double, std::less<>>> output_seconds_;
};

}  // namespace

void run_planned(at::Device device, const std::function<void()>& action) {
  try {
    action();
  } catch (const std::exception& error) {
    if (device.is_cpu() || !means_out_of_memory(error)) throw;
    fail(
        ErrorKind::device, current_error().what(),
        "there was enough when the run began; nvidia-smi shows what else uses this GPU. Run it again, or plan for less "
        "with --vram GB");
  }
}

RunResult run_plan(const Pipeline& pipeline, const Plan& plan, Progress& progress,
                   const std::function<void(const std::filesystem::path& file)>& on_file) {
  const c10::InferenceMode inference;
  RunResult result;
  run_planned(pipeline.device(), [&] { result = OutputRun(pipeline, plan, progress).make_all(on_file); });
  return result;
}

}  // namespace faststar
