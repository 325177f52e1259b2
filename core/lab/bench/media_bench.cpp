#include "core/lab/bench/media_bench.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include "core/base/device.h"
#include "core/lab/bench/op_clock.h"
#include "core/lab/bench/test_picture.h"
#include "core/model/pyramid/codes.h"
#include "core/model/vae/yuv420.h"
#include "core/pipeline/frame_files.h"
#include "core/pipeline/outputs.h"

namespace faststar {
namespace {

using Json = nlohmann::ordered_json;

/// How features of the VAE's encoder compare with those in float32.
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
    codes_ = at::randn(
        {1, kFeatureChannels, size.latent_frames, size.height / kPixelsPerFeature, size.width / kPixelsPerFeature},
        at::TensorOptions(device()));
  }

  BenchTable run() {
    const VideoSize& size = plan_.request.size;
    add("decode, frames dropped", size.frames, [&] {
      pipeline_.decode(
          codes_, [](const Tensor&) {}, decode_options());
    });
    const TestPicture video{size.frames, size.height, size.width};
    time_writing("natural", as_decoded(moving_test_picture(video, device())));
    time_writing("noise", as_decoded(noise_frames(video, device())));
    time_source();
    return finish();
  }

 private:
  at::Device device() const { return model_.device(); }
  const DecodeOptions& decode_options() const { return plan_.memory.mode.decode; }

  /// Frames uint8 [F, H, W, 3] as a decoder gives them: [1, 3, F, H, W] in its dtype, channels innermost in memory.
  Tensor as_decoded(const Tensor& frames) const {
    return (frames.to(at::kFloat) / 127.5 - 1).to(model_.dtype()).permute({3, 0, 1, 2}).unsqueeze(0);
  }

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

  /// Copy to the host, encoding alone, and all of it behind a decode. decoded [1, 3, F, H, W].
  void time_writing(const char* kind, const Tensor& decoded) {
    const int64_t count = decoded.size(2);
    const FrameFormat format = VideoOutput(files()).frame_format(device());
    const Tensor frames = format == FrameFormat::yuv420 ? to_yuv420(decoded) : to_frames(decoded);
    const Tensor host = frames.cpu();
    if (device().is_cuda()) {
      Json& copied = add(fmt::format("copy to the host, {}", kind), count, [&] { HostCopy(frames).get(); });
      copied["bytes"] = frames.numel();
    }
    Json& written = add(fmt::format("encode and write, {}", kind), count, [&] {
      VideoOutput output(files());
      for (const Tensor& slice : host.split(kFramesPerLatent * decode_options().slice_latents)) output.write(slice);
      output.finish();
    });
    written["bytes"] = file_bytes();
    Json& both = add(fmt::format("decode with file, {}", kind), count, [&] { decode_to_file(decoded); });
    both["bytes"] = file_bytes();
  }

  /// As a run does, but that `frames` [1, 3, F, H, W] go to the file in place of the decoded ones.
  void decode_to_file(const Tensor& frames) const {
    const OutputFiles output = files();
    // The test pictures have a first frame of their own.
    const ShownFrames shown{.first_frame = FirstFrame::keep};
    FrameFiles frame_files(output, shown, {codes_.size(2), device(), /*keep=*/false}, [](int64_t) {});
    int64_t done = 0;
    const auto on_frames = [&](const Tensor& decoded) {
      frame_files.push(frames.narrow(2, done, decoded.size(2)));
      done += decoded.size(2);
    };
    pipeline_.decode(codes_, on_frames, decode_options());
    frame_files.finish();
  }

  /// The clips that v2v continues: one picture and one video clip.
  void time_source() {
    const VideoSize& size = plan_.request.size;
    const int64_t frames = frames_of_latents(size.latents_per_clip + 1);
    const Tensor picture = moving_test_picture({frames, size.height, size.width}, device());
    const Tensor pixels = (picture.to(at::kFloat) / 127.5 - 1).permute({3, 0, 1, 2}).unsqueeze(0);  // [1, 3, F, H, W]
    Tensor features;
    const ConvolutionBits bits = kernels_ == Kernels::reference ? ConvolutionBits::float32 : ConvolutionBits::tf32;
    Json& row = add(kEncodeSource, frames, [&] { features = pipeline_.encode(pixels, {.bits = bits}); });
    const EncodeError error = error_of(features, pixels);
    row["relative_error"] = error.relative;
    row["bits_differing"] = error.bits;
  }

  /// Against an encoder in float32 without our kernels and without TF32.
  EncodeError error_of(const Tensor& features, const Tensor& pixels) const {
    const BackendScope backends(Kernels::reference);
    const Checkpoints& checkpoints = model_.checkpoints();
    const VideoVae exact(Weights(checkpoints.vae, device(), at::kFloat), checkpoints.vae_architecture);
    const Tensor expected = exact.encode(pixels, {.bits = ConvolutionBits::float32});
    return {.relative = ((features - expected).norm() / expected.norm()).item<double>(),
            .bits = features.gt(0).ne(expected.gt(0)).to(at::kDouble).mean().item<double>()};
  }

  BenchTable finish() {
    return {.key = "media",
            .title = fmt::format("Decoding, encoding and writing: {}x{}, {} frames, {}", plan_.request.size.width,
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
  Tensor codes_;  ///< [1, 64, T, h, w]
  std::vector<Json> rows_;
};

}  // namespace

BenchTable bench_media(Model& model, const BenchVariant& variant, const BenchCounts& counts) {
  const c10::InferenceMode inference;
  return MediaBench(model, variant, counts).run();
}

}  // namespace faststar
