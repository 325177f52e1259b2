// Times what reduction adds to a pass, part by part, beside one transformer layer of InfinityStar 8B with all tokens
// and with the kept ones: 720p, the reduced scales of the first video clip, random weights. Medians of CUDA events.
//
//   faststar_bench            needs a GPU with 20 GB
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <cuda_runtime.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "core/base/device.h"
#include "core/base/weights/weights.h"
#include "core/model/pyramid/codes.h"
#include "core/model/reduce/faststar.h"
#include "core/model/reduce/selection.h"
#include "core/model/star/transformer.h"

namespace faststar {
namespace {

constexpr int kWarmUps = 3;
constexpr int kRuns = 15;
constexpr int64_t kFullDepth = 36;

/// Median milliseconds of the work that `action` queues.
double milliseconds(const std::function<void()>& action) {
  cudaEvent_t start = nullptr;
  cudaEvent_t stop = nullptr;
  cudaEventCreate(&start);
  cudaEventCreate(&stop);
  const auto queue = static_cast<cudaStream_t>(cuda::current_stream(0).handle);
  std::vector<float> times;
  for (int run = 0; run < kWarmUps + kRuns; ++run) {
    cudaEventRecord(start, queue);
    action();
    cudaEventRecord(stop, queue);
    cudaEventSynchronize(stop);
    cudaEventElapsedTime(&times.emplace_back(), start, stop);
  }
  cudaEventDestroy(start);
  cudaEventDestroy(stop);
  times.erase(times.begin(), times.begin() + kWarmUps);
  std::nth_element(times.begin(), times.begin() + kRuns / 2, times.end());
  return times[kRuns / 2];
}

/// One layer of full width; 36 of them are the backbone.
StarTransformer one_layer(at::Device device) {
  const StarArchitecture arch{.hidden_size = 4096,
                              .heads = 32,
                              .kv_heads = 8,
                              .head_dim = 128,
                              .ffn_width = 16384,
                              .layers = 1,
                              .chunks = 1,
                              .text_width = 2048,
                              .max_text_length = 512};
  return StarTransformer({make_random_weights(1), device, at::kBFloat16}, arch);
}

class Bench {
 public:
  explicit Bench(at::Device device)
      : schedule_(make_schedule(0.562, "0.90M", 21, 20)),
        repetitions_{std::vector<int>(15, 3), {3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 1, 1}},
        gate_(settings_, schedule_, repetitions_),
        history_(schedule_),
        model_(one_layer(device)),
        device_(device) {}

  void run(const Step& step) {
    const Scale& scale = schedule_.scales()[step.scale];
    const Scale& full = schedule_.full_scale(1);
    const Tensor summed = at::randn({1, 64, full.t, full.h, full.w}, at::TensorOptions(device_));
    const SimilarityMaps maps{summed, summed + 0.1 * at::randn_like(summed), at::randn_like(summed.narrow(2, 0, 1))};
    const Tensor input = downsample_accumulated(summed, scale);
    const ReducedPass pass{step, scale, full, summed, input};
    const ReductionContext context{settings_, gate_, schedule_, history_, 1, {}, kFullDepth};
    const Tensor score = similarity_score(maps, NormDegree::two).score;
    const ReductionPlan plan = choose_positions(context, pass, score);
    const Rope rope = visual_rope({600, frames(full.t), scale, full}, 128, device_);
    const int64_t bits = step.scale == 26 ? kSemanticBits : kDetailBits;
    const Tensor some = at::ones({plan.kept.size(0), bits}, at::TensorOptions(device_).dtype(at::kByte));

    const double scoring = milliseconds([&] { similarity_score(maps, NormDegree::two); });
    const double choosing = milliseconds([&] { choose_positions(context, pass, score); });
    const double gathering = milliseconds([&] {
      input.flatten(2).index_select(2, plan.kept);
      gather_rope(rope, plan.kept);
    });
    const double restoring = milliseconds([&] {
      const Tensor grid = some.new_zeros({scale.tokens(), bits}).index_copy_(0, plan.kept, some);
      const Tensor codes = codes_from_bits(grid_from_tokens(grid, scale));
      partial_update(summed, at::where(plan.token_mask.gt(0), codes, 0.0f), plan.feature_mask);
    });
    fmt::print("| {} | {} | {} | {:.3f} | {:.3f} | {:.3f} | {:.3f} | **{:.3f}** | {:.0f} | {:.0f} |\n", step.scale,
               scale.tokens(), plan.kept.size(0), scoring, choosing, gathering, restoring,
               scoring + choosing + gathering + restoring, kFullDepth * layer(scale.tokens()),
               kFullDepth * layer(plan.kept.size(0)));
  }

 private:
  static std::vector<int> frames(int count) {
    std::vector<int> numbers;
    for (int i = 0; i < count; ++i) numbers.push_back(i + 1);
    return numbers;
  }

  /// One layer over two guidance rows, context of the image clip and 128 text tokens.
  double layer(int64_t tokens) {
    const auto options = at::TensorOptions(device_).dtype(at::kBFloat16);
    const Rope rope{at::rand({tokens, 64}, at::TensorOptions(device_)),
                    at::rand({tokens, 64}, at::TensorOptions(device_))};
    const PassKv context = {{at::randn({2, 3728, 8, 128}, options), at::randn({2, 3728, 8, 128}, options)}};
    const KvCache cache({context});
    const Tensor x = at::randn({2, tokens, 4096}, options);
    return milliseconds([&] { model_.run_blocks(x, {rope, cache}, nullptr); });
  }

  ReductionSettings settings_{.method = ReductionMethod::faststar};
  Schedule schedule_;
  Repetitions repetitions_;
  ReductionGate gate_;
  FeatureHistory history_;
  StarTransformer model_;
  at::Device device_;
};

void run_all() {
  const c10::InferenceMode inference;
  for (const Kernels kernels : {Kernels::automatic, Kernels::reference}) {
    set_kernels(kernels);
    fmt::print("{}\n\n", kernels == Kernels::automatic ? "Our kernels" : "Plain ATen (the references)");
    fmt::print(
        "| scale | tokens | kept | score ms | select ms | gather ms | restore ms | all ms | 36 layers, all tokens | "
        "kept |\n|---|---|---|---|---|---|---|---|---|---|\n");
    Bench bench(pick_device("cuda"));
    for (const int scale : {26, 27, 28, 29}) bench.run({.index = 80, .clip = 1, .scale = scale});
    fmt::print("\n");
  }
}

}  // namespace
}  // namespace faststar

int main() {
  faststar::run_all();
  return 0;
}
