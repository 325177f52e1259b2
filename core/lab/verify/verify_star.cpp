#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/lab/verify/components.h"
#include "core/media/resize.h"
#include "core/model/pyramid/codes.h"
#include "core/pipeline/pipeline.h"

namespace faststar {
namespace {

constexpr double kSummedCodesTolerance = 1e-5;
/// Stored frames have every fourth pixel.
constexpr int64_t kPixelStride = 4;
/// Output frames of an interactive clip.
constexpr int64_t kInteractiveFrames = 80;

/// Which bits are compared: those that the run samples, or none (teacher forcing).
enum class Bits { chosen, given };

/// The rows of logits that a fixture stores: all of short steps, about 64 of long ones (or every seventh).
Tensor stored_rows(const Tensor& logits, int64_t stored) {
  const int64_t rows = logits.size(1);
  for (const int64_t stride : {int64_t{1}, int64_t{7}, std::max<int64_t>(1, rows / 64)}) {
    if ((rows + stride - 1) / stride == stored) return every(logits, 1, stride);
  }
  return logits;
}

/// Runs the steps of a fixture; compares each and continues with the fixture's bits.
class Replay final : GenerationObserver {
 public:
  Replay(const FixtureSet& set, const std::string& name, StarTask task, const VerifyOptions& options)
      : fixture_(set.open(name + ".safetensors")),
        comparison_(name, tolerances_of(options).logits),
        transformer_(set.load_transformer()),
        model_(Networks{.transformer = &transformer_}, current_kernels()),
        pipeline_(model_),
        task_(std::move(task)),
        in_fp8_(options.linears == LinearPrecision::fp8),
        judge_bits_(options.dtype == at::kFloat && !in_fp8_),
        text_{.cond = set.open("star_greedy.safetensors")["text_features"].to(set.device())} {
    task_.settings.attention = options.attention;
    pipeline_.set_group(options.group);
  }

  const Fixture& fixture() const { return fixture_; }
  const StarTask& task() const { return task_; }
  Comparison& comparison() { return comparison_; }

  /// Returns the accumulated features [1, 64, T, H, W].
  Tensor run(Bits bits, const std::optional<InteractiveCondition>& condition = {}) {
    bits_ = bits;
    GenerationInput input{.text = text_, .condition = condition};
    for (int step = 0; step < task_.given_steps; ++step) {
      input.given_bits.push_back(fixture_[Fixture::step_name("bits", step)]);
    }
    const Tensor summed = pipeline_.generate(task_.schedule, task_.settings, input, this);
    const Tensor stored = task_.summed_channels.empty() ? summed : pick(summed, 1, task_.summed_channels);
    comparison_.close("summed_codes", stored, fixture_["summed_codes"], kSummedCodesTolerance);
    return summed;
  }

 private:
  Tensor on_bits(const StepResult& result) override {
    const std::string logits = Fixture::step_name("raw_logits", result.step.index);
    if (fixture_.has(logits)) {
      const Tensor expected = fixture_[logits];
      const Tensor computed = stored_rows(result.logits, expected.size(1));
      if (in_fp8_) comparison_.close_in_norm(logits, computed, expected);
      if (!in_fp8_) comparison_.close(logits, computed, expected);
    }
    const std::string name = Fixture::step_name("bits", result.step.index);
    const Tensor expected = fixture_[name];
    if (bits_ == Bits::chosen && judge_bits_) comparison_.bits(name, result.bits, expected);
    if (bits_ == Bits::chosen && !judge_bits_ && result.bits.sizes() == expected.sizes())
      comparison_.count_bits(result.bits, expected);
    return expected.to(pipeline_.device());
  }

  Fixture fixture_;
  Comparison comparison_;
  StarTransformer transformer_;
  Model model_;
  Pipeline pipeline_;
  StarTask task_;
  bool in_fp8_;
  bool judge_bits_;
  TextFeatures text_;
  Bits bits_ = Bits::chosen;
};

Tensor strided_frames(const Tensor& frames, const std::vector<int64_t>& stored) {
  return every(every(pick(frames, 1, stored), 2, kPixelStride), 3, kPixelStride);
}

}  // namespace

ComponentResult verify_star_greedy(const FixtureSet& set, const VerifyOptions& options) {
  Replay replay(set, "star_greedy", set.meta_task(), options);
  replay.run(Bits::chosen);
  return replay.comparison().result();
}

ComponentResult verify_star_forced(const FixtureSet& set, const VerifyOptions& options) {
  Replay replay(set, "star_forced", set.meta_task(), options);
  replay.run(Bits::given);
  return replay.comparison().result();
}

ComponentResult verify_star_three_clips(const FixtureSet& set, const VerifyOptions& options) {
  Replay replay(set, "star_three_clips", set.task("star_three_clips"), options);
  replay.run(Bits::chosen);
  return replay.comparison().result();
}

ComponentResult verify_star_v2v(const FixtureSet& set, const VerifyOptions& options) {
  Replay replay(set, "star_v2v", set.task("star_v2v"), options);
  replay.run(Bits::chosen);
  return replay.comparison().result();
}

ComponentResult verify_star_i2v(const FixtureSet& set, const VerifyOptions& options) {
  Replay replay(set, "star_i2v", set.task("star_i2v"), options);
  const StarTask& task = replay.task();
  const VideoVae vae = set.load_vae(at::kFloat);

  const Scale& full = task.schedule.full_scale(0);
  const Tensor image =
      fit_to(replay.fixture()["image"], {pixels_of_features(full.h), pixels_of_features(full.w)}, Fit::crop);
  const Tensor features = vae.encode(to_pixels(image).view({1, 3, 1, image.size(0), image.size(1)}).to(set.device()));
  replay.comparison().close("features", features, replay.fixture()["features"],
                            tolerances_of({.dtype = at::kFloat}).vae);
  const auto given = condition_bits(features, task.schedule, task.settings.repetitions, task.detail_scale_min_tokens);
  for (int step = 0; step < task.given_steps; ++step) {
    const std::string name = Fixture::step_name("bits", step);
    replay.comparison().bits(name, given.at(step), replay.fixture()[name]);
  }

  const Tensor summed = replay.run(Bits::chosen);
  const Tensor frames = official_frames(decode_whole(vae, summed, options));
  replay.comparison().frames("frames", strided_frames(frames, task.frames_stored), replay.fixture()["frames"]);
  return replay.comparison().result();
}

ComponentResult verify_star_interactive(const FixtureSet& set, const VerifyOptions& options) {
  const std::string name = "star_interactive";
  Replay replay(set, name, set.task(name), options);
  const auto task = read_fixture_json(set.path("tasks.json")).at(name);
  const double scale = task.at("former_scale");
  const auto features = [&](const char* tensor) {
    return replay.fixture()[tensor].to(set.device(), at::kFloat) / scale;
  };
  const Tensor former = features("former_int8");
  const Tensor former_rest = former.narrow(2, 1, former.size(2) - 1);
  const Tensor summed = replay.run(Bits::chosen, InteractiveCondition{.former = former_rest,
                                                                      .first = features("first_int8"),
                                                                      .semantic_scale = task.at("semantic_scale_index"),
                                                                      .detail_frames = task.at("detail_frames")});
  const Tensor frames =
      official_frames(decode_whole(set.load_vae(at::kFloat), at::cat({former_rest, summed}, 2), options));
  const Tensor clip = frames.narrow(1, frames.size(1) - kInteractiveFrames, kInteractiveFrames);
  replay.comparison().frames("frames", strided_frames(clip, replay.task().frames_stored), replay.fixture()["frames"]);
  return replay.comparison().result();
}

}  // namespace faststar
