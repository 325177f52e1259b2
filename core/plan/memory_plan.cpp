#include "core/plan/memory_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <limits>

#include "core/device.h"
#include "core/error.h"
#include "core/pyramid/codes.h"
#include "core/vae/decode_plan.h"

namespace faststar {
namespace {

/// CUDA context, library workspaces and the allocator's rounding, beside tensors.
constexpr int64_t kCudaReserve = 1'200'000'000;

double gigabytes(int64_t bytes) { return static_cast<double>(bytes) * 1e-9; }

int64_t element_bytes(const Workload& work) { return static_cast<int64_t>(c10::elementSize(work.dtype)); }

/// Keys and values of `tokens` tokens in all guidance rows, one layer.
int64_t layer_kv_bytes(const Workload& work, int64_t tokens) {
  return 2 * work.guidance_rows * tokens * work.star.kv_heads * work.star.head_width * element_bytes(work);
}

/// What a pass keeps for later ones: every layer of text and, from the second clip on, of the reference.
int64_t context_bytes(const Workload& work, const Step& step) {
  return work.star.layers * layer_kv_bytes(work, context_tokens(work, step));
}

/// Keys and values that this pass leaves behind while the earlier ones are still there.
int64_t kept_bytes(const Workload& work, const Step& step) {
  return work.schedule.is_referenced_later(step) ? work.star.layers * layer_kv_bytes(work, tokens_of(work, step)) : 0;
}

/// The widest moment of a block, counted from core/star/block.cpp: four rows of C and the joined keys and values
/// in attention, or five rows of C, or four and a piece of the feed-forward network.
int64_t block_bytes(const Workload& work, int64_t tokens, int64_t context) {
  const int64_t rows = work.guidance_rows * tokens;
  const int64_t row_bytes = rows * work.star.width * element_bytes(work);
  // float32 attention on a GPU expands keys and values to the query heads.
  const int64_t expansion =
      work.device.is_cuda() && work.dtype == at::kFloat ? 1 + work.star.heads / work.star.kv_heads : 1;
  const int64_t attention =
      4 * row_bytes + layer_kv_bytes(work, tokens) + expansion * layer_kv_bytes(work, tokens + context);
  const int64_t piece = std::min(rows, kMlpRows) * (3 * work.star.ffn_width + work.star.width) * element_bytes(work);
  return std::max({attention, 4 * row_bytes + piece, 5 * row_bytes});
}

int64_t step_bytes(const Workload& work, const Step& step) {
  const int64_t tokens = work.gate ? work.gate->stream_tokens(step) : tokens_of(work, step);
  const int64_t rope = 2 * tokens * work.star.head_width / 2 * static_cast<int64_t>(sizeof(float));
  return context_bytes(work, step) + kept_bytes(work, step) + rope +
         block_bytes(work, tokens, context_tokens(work, step));
}

/// The code sums: all clips so far, one being added to.
int64_t codes_bytes(const Workload& work) {
  const Scale& full = work.schedule.full_scale(0);
  return 4 * static_cast<int64_t>(sizeof(float)) * kFeatureChannels * work.schedule.latent_frames() * full.h * full.w;
}

/// The memory limit of this process's control group, less what it uses; a huge number without a limit.
int64_t control_group_bytes() {
  const auto read_number = [](const char* path) {
    std::ifstream stream(path);
    int64_t number = 0;
    return stream >> number ? number : std::numeric_limits<int64_t>::max();  // "max", or no such file
  };
  const int64_t limit = read_number("/sys/fs/cgroup/memory.max");
  if (limit == std::numeric_limits<int64_t>::max()) return limit;
  return limit - std::min(limit, read_number("/sys/fs/cgroup/memory.current"));
}

int64_t available_host_bytes() {
  std::ifstream stream("/proc/meminfo");
  std::string key;
  int64_t kilobytes = 0;
  std::string unit;
  while (stream >> key >> kilobytes >> unit) {
    if (key == "MemAvailable:") return std::min(kilobytes * 1024, control_group_bytes());
  }
  return 0;
}

}  // namespace

int64_t MemoryPlan::peak() const { return std::max({text, tokens, decode}); }

std::string MemoryPlan::text_line() const {
  return fmt::format("{:.1f} GB (text {:.1f}, tokens {:.1f}, decode {:.1f}; weights {:.1f})", gigabytes(peak()),
                     gigabytes(text), gigabytes(tokens), gigabytes(decode), gigabytes(weights));
}

MemoryPlan plan_memory(const Workload& work) {
  const int64_t vae = decoder_parameter_count(work.vae) * element_bytes(work);
  // The two heads are float32 in any precision; they are too small to count apart.
  const int64_t star = parameter_count(work.star) * element_bytes(work);
  int64_t pass = 0;
  for (const Step& step : work.schedule.steps(work.repetitions)) pass = std::max(pass, step_bytes(work, step));
  const Scale& full = work.schedule.full_scale(0);
  MemoryPlan plan;
  plan.weights = star + vae;
  plan.text =
      parameter_count(work.t5) * element_bytes(work) + 16 * work.text_tokens * work.t5.ffn_width * element_bytes(work);
  plan.tokens = plan.weights + codes_bytes(work) + pass;
  plan.decode =
      plan.weights + codes_bytes(work) +
      decode_peak_bytes(work.vae, {.height = full.h, .width = full.w, .latents = work.schedule.latent_frames()},
                        work.dtype);
  return plan;
}

void check_fits(const MemoryPlan& plan, at::Device device) {
  const int64_t reserve = device.is_cuda() ? kCudaReserve : 0;
  const int64_t free = device.is_cuda() ? free_device_bytes(device) : available_host_bytes();
  if (free == 0 || plan.peak() + reserve <= free) return;
  fail(ErrorKind::device,
       fmt::format("{}: this run needs {:.1f} GB, {:.1f} GB are free", device.str(), gigabytes(plan.peak() + reserve),
                   gigabytes(free)),
       "a smaller --resolution or --duration, --precision bf16, or another --device");
}

}  // namespace faststar
