#include "core/lab/bench/media_bench.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include "core/base/device.h"
#include "core/lab/bench/op_clock.h"
#include "core/lab/bench/test_picture.h"
#include "core/model/pyramid/codes.h"

namespace faststar {
namespace {

using Json = nlohmann::ordered_json;

/// How frames of the VAE's encoder compare with those in float32.
struct EncodeError {
  double relative = 0;  ///< norm of the difference over the norm
  double bits = 0;      ///< share of features with another sign
};

class MediaBench {
 public:
  MediaBench(Model& model, const BenchVariant& variant, const BenchCounts& counts)
      : model_(model), pipeline_(model), plan_(variant.plan), kernels_(variant.kernels), counts_(counts) {
    pipeline_.set_kernels(variant.kernels);
    const VideoSize& size = plan_.request.size;
    natural_ = moving_test_picture({size.frames, size.height, size.width}, device());
    noise_ = noise_frames({size.frames, size.height, size.width}, device());
    codes_ = at::randn(
        {1, kFeatureChannels, size.latent_frames, size.height / kPixelsPerFeature, size.width / kPixelsPerFeature},
        at::TensorOptions(device()));
  }

  BenchTable run() {
    const int64_t frames = natural_.size(0);
    add("decode, frames dropped", frames, [&] {
      pipeline_.decode(
          codes_, [](const Tensor&) {}, decode_options());
    });
    if (device().is_cuda()) {
      Json& copied = add("frames to the host", frames, [&] { natural_.cpu(); });
      copied["bytes"] = natural_.numel();
    }
    time_writing("natural", natural_);
    time_writing("noise", noise_);
    time_source();
    return finish();
  }

 private:
  at::Device device() const { return model_.device(); }
  const DecodeOptions& decode_options() const { return plan_.memory.mode.decode; }

  /// Times `action` and adds a row, which is returned.
  Json& add(const std::string& what, int64_t frames, const std::function<void()>& action) {
    Samples samples;
    for (int run = -counts_.warm_up; run < counts_.runs; ++run) {
      synchronize(device());
      const auto start = BenchClock::now();
      action();
      synchronize(device());
      if (run >= 0) samples.values.push_back(seconds_between(start, BenchClock::now()));
    }
    Json row = {{"what", what}, {"frames", frames}, {"seconds", to_json(samples)}};
    row["seconds"]["spread"] = samples.spread();
    row["frames_per_second"] = static_cast<double>(frames) / samples.median();
    return rows_.emplace_back(std::move(row));
  }

  OutputFiles files() const {
    const Request& request = plan_.request;
    return {.file = request.outputs.front().file,
            .format = format_of(request.size),
            .encoding = request.encoding,
            .existing = Existing::replace};
  }

  int64_t file_bytes() const { return static_cast<int64_t>(std::filesystem::file_size(files().file)); }

  /// Encoding alone, then behind a decode.
  void time_writing(const char* kind, const Tensor& frames) {
    const Tensor host = frames.cpu();
    Json& written = add(fmt::format("encode and write, {}", kind), frames.size(0), [&] {
      VideoOutput output(files());
      for (const Tensor& slice : host.split(kFramesPerLatent * decode_options().slice_latents)) output.write(slice);
      output.finish();
    });
    written["bytes"] = file_bytes();
    Json& decoded = add(fmt::format("decode with file, {}", kind), frames.size(0), [&] { decode_to_file(frames); });
    decoded["bytes"] = file_bytes();
  }

  /// As a run does, but that what is encoded are `frames` in place of those decoded, which meet the same operations.
  void decode_to_file(const Tensor& frames) const {
    VideoOutput output(files());
    FrameStream stream(plan_.shown.first_frame);
    int64_t done = 0;
    const auto write = [&](const std::optional<Tensor>& decoded) {
      if (!decoded) return;
      output.write(frames.narrow(0, done, decoded->size(0)));
      done += decoded->size(0);
    };
    const auto on_frames = [&](const Tensor& decoded) {
      write(stream.push(decoded));
      synchronize(device());
    };
    pipeline_.decode(codes_, on_frames, decode_options());
    write(stream.finish());
    output.finish();
  }

  /// The clips that v2v continues: one picture and one video clip.
  void time_source() {
    const VideoSize& size = plan_.request.size;
    const int64_t frames = frames_of_latents(size.latents_per_clip + 1);
    const Tensor picture = moving_test_picture({frames, size.height, size.width}, device());
    const Tensor pixels = (picture.to(at::kFloat) / 127.5 - 1).permute({3, 0, 1, 2}).unsqueeze(0);  // [1, 3, F, H, W]
    Tensor features;
    Json& row = add("encode a source", frames, [&] { features = pipeline_.encode(pixels); });
    const EncodeError error = error_of(features, pixels);
    row["relative_error"] = error.relative;
    row["bits_differing"] = error.bits;
  }

  /// Against an encoder in float32 without our kernels and without TF32.
  EncodeError error_of(const Tensor& features, const Tensor& pixels) const {
    const BackendScope backends(Kernels::reference);
    const Checkpoints& checkpoints = model_.checkpoints();
    const VideoVae exact(Weights(checkpoints.vae, device(), at::kFloat), checkpoints.vae_architecture);
    const Tensor expected = exact.encode(pixels);
    return {.relative = ((features - expected).norm() / expected.norm()).item<double>(),
            .bits = features.gt(0).ne(expected.gt(0)).to(at::kDouble).mean().item<double>()};
  }

  BenchTable finish() {
    return {.key = "media",
            .title = fmt::format("Decode, encode, file: {}x{}, {} frames, {}", plan_.request.size.width,
                                 plan_.request.size.height, plan_.request.size.frames,
                                 choice_name(kernels_) == "auto" ? "own kernels" : "reference operations"),
            .columns = {{"what", "what"},
                        {"frames", "frames"},
                        {"ms", "seconds/median", kInMilliseconds, 1},
                        {"± %", "seconds/spread", kInPercent, 1},
                        {"frames/s", "frames_per_second", 1, 1},
                        {"MB", "bytes", kInMega, 2},
                        {"error", "relative_error", 1, 6},
                        {"bits differing %", "bits_differing", kInPercent, 3}},
            .rows = std::move(rows_),
            .footnotes = {
                "natural: a smooth picture under a panning and zooming camera. decode with file: as in a run, but "
                "with these frames encoded in place of the decoded ones. error: of the features, against "
                "float32; bits differing: of their signs. MB: of the file, or copied."}};
  }

  Model& model_;
  Pipeline pipeline_;
  const Plan& plan_;
  Kernels kernels_;
  BenchCounts counts_;
  Tensor natural_, noise_;  ///< uint8 [F, H, W, 3]
  Tensor codes_;            ///< [1, 64, T, h, w]
  std::vector<Json> rows_;
};

}  // namespace

BenchTable bench_media(Model& model, const BenchVariant& variant, const BenchCounts& counts) {
  const c10::InferenceMode inference;
  return MediaBench(model, variant, counts).run();
}

}  // namespace faststar
