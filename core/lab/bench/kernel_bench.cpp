#include "core/lab/bench/kernel_bench.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/device.h"
#include "core/base/random.h"
#include "core/model/layers.h"
#include "core/model/pyramid/codes.h"
#include "core/model/reduce/faststar.h"
#include "core/model/reduce/selection.h"
#include "core/model/star/rope.h"
#include "core/model/vae/depth_to_space.h"
#include "core/model/vae/norm_silu.h"
#include "core/model/vae/rgb_conv.h"
#include "core/model/vae/yuv420.h"

namespace faststar {
namespace {

constexpr double kEpsilon = 1e-6;  // of the norms
constexpr auto kFloatBytes = static_cast<int64_t>(sizeof(float));

/// An operation with its kernel and its reference on the same operands.
struct Op {
  std::string name;
  std::string shape;
  int64_t bytes = 0;  ///< that have to be read and written
  std::function<void()> kernel;
  std::function<void()> reference;
};

class KernelBench {
 public:
  explicit KernelBench(const OpsSubject& subject)
      : subject_(subject),
        has_kernels_(subject.work().device.is_cuda() && subject.kernels == Kernels::automatic),
        element_bytes_(static_cast<int64_t>(c10::elementSize(subject.work().dtype))) {}

  BenchTable run() {
    for (const PassShape& shape : sampled_passes()) {
      time_rms_norm(shape);
      time_split_qkv(shape);
      time_swiglu(shape);
      time_rounding(shape);
      time_rounded_heads(shape);
      time_philox(shape);
    }
    const std::vector<int> scales = reduced_scales();
    time_scoring(scales.back());
    for (const int scale : scales) time_update(scale);
    time_decoder();
    return finish();
  }

 private:
  void time(const Op& op) {
    nlohmann::ordered_json row = {{"op", op.name}, {"shape", op.shape}, {"bytes", op.bytes}};
    const double reference = subject_.clock.time(op.reference).median();
    const double seconds = has_kernels_ ? subject_.clock.time(op.kernel).median() : reference;
    row["seconds"]["reference"] = reference;
    if (has_kernels_) {
      row["seconds"]["kernel"] = seconds;
      row["speed_up"] = reference / seconds;
    }
    row["bytes_per_second"] = static_cast<double>(op.bytes) / seconds;
    row["ceiling_share"] = static_cast<double>(op.bytes) / seconds / subject_.ceilings.copied_bytes;
    rows_.push_back(std::move(row));
  }

  std::vector<PassShape> sampled_passes() const {
    std::vector<PassShape> shapes;
    for (const CountedShape& counted : pass_shapes(subject_.plan)) shapes.push_back(counted.shape);
    std::ranges::stable_sort(shapes, {}, [](const PassShape& shape) { return shape.rows * shape.tokens; });
    std::vector<PassShape> sampled = {shapes.front(), shapes[shapes.size() / 2], shapes.back()};
    sampled.erase(std::unique(sampled.begin(), sampled.end()), sampled.end());
    return sampled;
  }

  void time_rms_norm(const PassShape& shape) {
    const int64_t width = subject_.work().star.hidden_size;
    const Tensor x = at::randn({shape.rows, shape.tokens, width}, subject_.options());
    const Tensor branch = at::randn_like(x);
    const Tensor weight = at::ones({width}, subject_.options(at::kFloat));
    time({.name = "add_rms_norm",
          .shape = fmt::format("{}x{}x{}", shape.rows, shape.tokens, width),
          .bytes = 4 * x.numel() * element_bytes_ + width * kFloatBytes,
          .kernel = [&] { add_rms_norm(x, branch, weight, kEpsilon); },
          .reference = [&] { reference::rms_norm(x + branch, weight, kEpsilon); }});
  }

  /// As most passes do, into a longer buffer.
  void time_split_qkv(const PassShape& shape) {
    const StarArchitecture& star = subject_.work().star;
    const int64_t width = star.head_dim, heads = star.heads + 2 * star.kv_heads;
    const Tensor qkv = at::randn({shape.rows, shape.tokens, heads * width}, subject_.options());
    const HeadNorms norms{at::ones({width}, subject_.options(at::kFloat)),
                          at::ones({width}, subject_.options(at::kFloat)), kEpsilon};
    const Rope rope{at::rand({shape.tokens, width / 2}, subject_.options(at::kFloat)),
                    at::rand({shape.tokens, width / 2}, subject_.options(at::kFloat))};
    const LayerKv place{at::empty({shape.rows, shape.tokens, star.kv_heads, width}, subject_.options()),
                        at::empty({shape.rows, shape.tokens, star.kv_heads, width}, subject_.options())};
    time({.name = "split_qkv",
          .shape = fmt::format("{}x{}x{}x{}", shape.rows, shape.tokens, heads, width),
          .bytes = 2 * qkv.numel() * element_bytes_ + 2 * (rope.cos.numel() + width) * kFloatBytes,
          .kernel = [&] { split_qkv(qkv, star.kv_heads, norms, rope, place); },
          .reference = [&] { reference::split_qkv(qkv, star.kv_heads, norms, rope); }});
  }

  void time_swiglu(const PassShape& shape) {
    const int64_t width = subject_.work().star.ffn_width;
    const int64_t rows = std::min(shape.rows * shape.tokens, kMlpRows);  // a piece of the feed-forward network
    const Tensor gate_up = at::randn({rows, 2 * width}, subject_.options());
    time({.name = "swiglu",
          .shape = fmt::format("{}x{}", rows, 2 * width),
          .bytes = 3 * rows * width * element_bytes_,
          .kernel = [&] { swiglu(gate_up); },
          .reference = [&] { reference::swiglu(gate_up); }});
  }

  /// What feeds the 8-bit linear layers, with what is rounded.
  void time_rounding(const PassShape& shape) {
    const StarArchitecture& star = subject_.work().star;
    const int64_t rows = shape.rows * shape.tokens;
    const auto bytes = [&](int64_t count, int64_t width, int64_t moved) {
      return count * width * (moved * element_bytes_ + 1) + count * kFloatBytes;
    };
    const Tensor x = at::randn({rows, star.hidden_size}, subject_.options());
    const Tensor branch = at::randn_like(x);
    const Tensor weight = at::ones({star.hidden_size}, subject_.options(at::kFloat));
    time({.name = "quantize_rows",
          .shape = fmt::format("{}x{}", rows, star.hidden_size),
          .bytes = bytes(rows, star.hidden_size, 1),
          .kernel = [&] { quantize_rows(x); },
          .reference = [&] { reference::quantize_rows(x); }});
    time({.name = "add_rms_norm_fp8",
          .shape = fmt::format("{}x{}", rows, star.hidden_size),
          .bytes = bytes(rows, star.hidden_size, 3) + star.hidden_size * kFloatBytes,
          .kernel = [&] { add_rms_norm_fp8(x, branch, weight, kEpsilon); },
          .reference = [&] { reference::quantize_rows(reference::rms_norm(x + branch, weight, kEpsilon)); }});
    const int64_t piece = std::min(rows, kMlpRows);
    const Tensor gate_up = at::randn({piece, 2 * star.ffn_width}, subject_.options());
    time({.name = "swiglu_fp8",
          .shape = fmt::format("{}x{}", piece, 2 * star.ffn_width),
          .bytes = bytes(piece, star.ffn_width, 2),
          .kernel = [&] { swiglu_fp8(gate_up); },
          .reference = [&] { reference::quantize_rows(reference::swiglu(gate_up)); }});
  }

  /// Queries and keys for attention in 8 bits.
  void time_rounded_heads(const PassShape& shape) {
    const StarArchitecture& star = subject_.work().star;
    for (const auto& [tokens, heads] : {std::pair(shape.tokens, star.heads), std::pair(shape.keys, star.kv_heads)}) {
      const Tensor x = at::randn({shape.rows, tokens, heads, star.head_dim}, subject_.options());
      time({.name = "quantize_heads",
            .shape = fmt::format("{}x{}x{}x{}", shape.rows, tokens, heads, star.head_dim),
            .bytes = x.numel() * (element_bytes_ + 1),
            .kernel = [&] { quantize_heads(x, star.kv_heads); },
            .reference = [&] { reference::quantize_heads(x, star.kv_heads); }});
    }
  }

  void time_philox(const PassShape& shape) {
    const Tensor tokens = at::arange(shape.tokens, subject_.options(at::kLong));
    time({.name = "philox_uniform",
          .shape = fmt::format("{}x{}", shape.tokens, shape.bits),
          .bytes = shape.tokens * (static_cast<int64_t>(sizeof(int64_t)) + shape.bits * kFloatBytes),
          .kernel = [&] { philox_uniform({}, RandomPurpose::bits, tokens, shape.bits); },
          .reference = [&] { reference::philox_uniform({}, RandomPurpose::bits, tokens, shape.bits); }});
  }

  /// The reduced scales of the last clip; of a dense run those that the default settings would reduce.
  std::vector<int> reduced_scales() const {
    const Workload& work = subject_.work();
    std::vector<int> scales;
    for (const Step& step : steps_to_run(work)) {
      const bool reduced = work.gate && work.gate->reduces(step) && !work.gate->skips(step);
      if (reduced && (scales.empty() || scales.back() != step.scale)) scales.push_back(step.scale);
    }
    const int count = static_cast<int>(work.schedule.scales().size());
    constexpr int kReducedByDefault = 4;
    if (!scales.empty()) return scales;
    for (int scale = std::max(0, count - kReducedByDefault); scale < count; ++scale) scales.push_back(scale);
    return scales;
  }

  const Scale& full_scale(int scale) const {
    const Schedule& schedule = subject_.work().schedule;
    return schedule.full_scale(schedule.clip_of(scale));
  }
  void time_scoring(int scale);
  void time_update(int scale);
  /// An upsampling block: channels before and after, frames that one becomes.
  struct UpSampled {
    int64_t in, out, time;
  };
  void time_decoder();
  Tensor activations(int64_t pixels, int64_t frames, int64_t channels) const;
  void time_norm_silu(int64_t pixels, int64_t frames_per_latent, int64_t channels);
  void time_depth_to_space(int64_t pixels, int64_t frames_per_latent, const UpSampled& block);
  void time_rgb_conv(int64_t channels);
  void time_yuv420();

  /// Latent frames that are decoded at once.
  int64_t slice_latents() const { return subject_.plan.memory.mode.decode.slice_latents; }
  static std::string shape_of_activations(const Tensor& x) {
    return fmt::format("{}x{}x{}x{}", x.size(1), x.size(2), x.size(3), x.size(4));
  }

  BenchTable finish() {
    BenchTable table{.key = "kernels",
                     .title = "Kernels beside their references in plain ATen",
                     .columns = {{"op", "op"},
                                 {"shape", "shape"},
                                 {"MB", "bytes", kInMega, 2},
                                 {"kernel ms", "seconds/kernel", kInMilliseconds, 4},
                                 {"reference ms", "seconds/reference", kInMilliseconds, 4},
                                 {"speed-up", "speed_up", 1, 1},
                                 {"GB/s", "bytes_per_second", kInGiga, 0},
                                 {"of copy %", "ceiling_share", kInPercent, 0}},
                     .rows = std::move(rows_),
                     .footnotes = {"Medians; all caches are overwritten before each call. MB: what has to be read and "
                                   "written once."}};
    if (!has_kernels_) table.footnotes.push_back("Kernels are for GPUs: GB/s are those of the references.");
    return table;
  }

  const OpsSubject& subject_;
  bool has_kernels_;
  int64_t element_bytes_;
  std::vector<nlohmann::ordered_json> rows_;
};

/// Scores and the choice of positions, which all scales of a clip have at one size.
void KernelBench::time_scoring(int scale) {
  const Scale& full = full_scale(scale);
  const int64_t positions = full.tokens();
  const Tensor current = at::randn({1, kFeatureChannels, full.t, full.h, full.w}, subject_.options(at::kFloat));
  const SimilarityMaps maps{current, at::randn_like(current), at::randn_like(current.narrow(2, 0, 1))};
  time({.name = "similarity_score",
        .shape = fmt::format("64x{}x{}x{}", full.t, full.h, full.w),
        .bytes = (2 * current.numel() + maps.reference.numel() + 3 * positions) * kFloatBytes,
        .kernel = [&] { similarity_score(maps, NormDegree::two); },
        .reference = [&] { reference::similarity_score(maps, NormDegree::two); }});
  const Ranking ranking{at::rand({positions}, subject_.options(at::kFloat))};
  const int64_t keep = std::max<int64_t>(1, positions / 2);
  time({.name = "select_top",
        .shape = fmt::format("{} of {}", keep, positions),
        .bytes = positions * (kFloatBytes + 1) + keep * static_cast<int64_t>(sizeof(int64_t)),
        .kernel = [&] { select_top(ranking, keep); },
        .reference = [&] { reference::select_top(ranking, keep); }});
}

/// Scores at the size of a scale, and the update of the features from it.
void KernelBench::time_update(int scale) {
  const Scale& full = full_scale(scale);
  const Scale& grid = subject_.work().schedule.scales()[static_cast<size_t>(scale)];
  const int64_t positions = full.tokens();
  const std::string map = fmt::format("{}x{}x{}", full.t, full.h, full.w);
  const Tensor scores = at::rand({full.t, full.h, full.w}, subject_.options(at::kFloat));
  time({.name = "area_mean",
        .shape = fmt::format("{} to {}x{}", map, grid.h, grid.w),
        .bytes = (positions + grid.tokens()) * kFloatBytes,
        .kernel = [&] { area_mean(scores, grid); },
        .reference = [&] { reference::area_mean(scores, grid); }});
  const Tensor summed = at::randn({1, kFeatureChannels, full.t, full.h, full.w}, subject_.options(at::kFloat));
  const Tensor codes = at::randn({1, kDetailBits, grid.t, grid.h, grid.w}, subject_.options(at::kFloat));
  const Tensor mask = scores.gt(0.5).to(at::kByte);
  time({.name = "partial_update",
        .shape = fmt::format("64x{} from {}x{}", map, grid.h, grid.w),
        .bytes = (2 * summed.numel() + codes.numel()) * kFloatBytes + positions,
        .kernel = [&] { partial_update(summed, codes, mask); },
        .reference = [&] { reference::partial_update(summed, codes, mask); }});
}

/// The decoder's blocks from the inside, as their convolutions meet them: pixels per position, and frames of a latent
/// frame. Then the last convolution, and the planes of the file.
void KernelBench::time_decoder() {
  const auto& channels = subject_.work().vae.block_out_channels;
  time_norm_silu(8, 1, channels[4]);
  time_depth_to_space(8, 1, {.in = channels[3], .out = channels[2], .time = 1});
  time_norm_silu(4, 1, channels[2]);
  time_depth_to_space(4, 1, {.in = channels[2], .out = channels[1], .time = 2});
  time_norm_silu(2, 2, channels[1]);
  time_depth_to_space(2, 2, {.in = channels[1], .out = channels[0], .time = 2});
  time_norm_silu(1, 4, channels[0]);
  time_rgb_conv(channels[0]);
  time_yuv420();
}

/// Activations [1, T, H, W, channels] of a slice of the decoder where a position stands for pixels x pixels.
Tensor KernelBench::activations(int64_t pixels, int64_t frames, int64_t channels) const {
  const VideoShape size = shape_of(subject_.work(), 1);
  return at::randn({1, frames, size.height / pixels, size.width / pixels, channels}, subject_.options());
}

void KernelBench::time_norm_silu(int64_t pixels, int64_t frames_per_latent, int64_t channels) {
  const Tensor output = activations(pixels, slice_latents() * frames_per_latent, channels);
  const DeferredSum x{output, at::randn({channels}, subject_.options()), at::randn_like(output)};
  const Tensor gamma = at::ones({channels}, subject_.options(at::kFloat));
  const Tensor factor = activations(kPixelsPerLatent, slice_latents(), channels);
  const std::optional<Modulation> modulation = Modulation{factor, at::randn_like(factor)};
  const Tensor before = activations(pixels, kFramesBefore, channels);
  time({.name = "norm_silu_of_sum",
        .shape = shape_of_activations(output),
        .bytes = (4 * output.numel() + 2 * before.numel() + 2 * factor.numel()) * element_bytes_,
        .kernel = [&] { norm_silu_of_sum(x, gamma, modulation, before, KeepSum::yes); },
        .reference = [&] { reference::norm_silu(x.total(), gamma, modulation, before); }});
}

void KernelBench::time_depth_to_space(int64_t pixels, int64_t frames_per_latent, const UpSampled& block) {
  const int64_t frames = slice_latents() * frames_per_latent;
  const Tensor u = activations(pixels, frames, 4 * block.time * block.out);
  const Tensor x = activations(pixels, frames, block.in);
  const Tensor bias = at::randn({u.size(-1)}, subject_.options());
  time({.name = "depth_to_space",
        .shape = shape_of_activations(u),
        .bytes = (2 * u.numel() + x.numel()) * element_bytes_,
        .kernel = [&] { depth_to_space(u, bias, x, block.time, false); },
        .reference = [&] { reference::depth_to_space(u, bias, x, block.time, false); }});
}

void KernelBench::time_rgb_conv(int64_t channels) {
  const Tensor extended = activations(1, kFramesBefore + slice_latents() * kFramesPerLatent, channels);
  const Tensor weight =
      at::randn({kRgb, channels, 3, 3, 3}, subject_.options()).contiguous(at::MemoryFormat::ChannelsLast3d);
  const Tensor bias = at::randn({kRgb}, subject_.options());
  time({.name = "rgb_conv",
        .shape = shape_of_activations(extended),
        .bytes = extended.numel() / channels * (channels + kRgb) * element_bytes_,
        .kernel = [&] { rgb_conv(extended, weight, bias); },
        .reference = [&] { reference::rgb_conv(extended, weight, bias); }});
}

void KernelBench::time_yuv420() {
  const Tensor decoded = activations(1, slice_latents() * kFramesPerLatent, kRgb).permute({0, 4, 1, 2, 3});
  time({.name = "yuv420",
        .shape = fmt::format("{}x{}x{}", decoded.size(2), decoded.size(3), decoded.size(4)),
        .bytes = decoded.numel() * element_bytes_ + decoded.numel() / 2,
        .kernel = [&] { to_yuv420(decoded); },
        .reference = [&] { reference::to_yuv420(decoded); }});
}

}  // namespace

BenchTable bench_kernels(const OpsSubject& subject) { return KernelBench(subject).run(); }

}  // namespace faststar
