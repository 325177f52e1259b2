#include "core/pipeline/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <vector>

#include "core/base/device.h"
#include "core/base/error.h"
#include "core/model/pyramid/codes.h"
#include "core/model/quantize.h"
#include "core/model/star/generator.h"
#include "core/pipeline/warm_up.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

int64_t element_bytes(const Workload& work) { return static_cast<int64_t>(c10::elementSize(work.dtype)); }

/// Given clips are run for their keys and values alone: with every token.
bool is_reducible(const Workload& work, const Step& step) { return work.gate && step.clip >= work.given_clips; }

int64_t all_tokens(const Workload& work, const Step& step) { return work.schedule.scales()[step.scale].tokens(); }

}  // namespace

int64_t tokens_of(const Workload& work, const Step& step) {
  return is_reducible(work, step) ? work.gate->kept_tokens(step) : all_tokens(work, step);
}

int64_t stream_tokens_of(const Workload& work, const Step& step) {
  return is_reducible(work, step) ? work.gate->stream_tokens(step) : all_tokens(work, step);
}

std::optional<Step> referenced_step(const Workload& work, const Step& step) {
  const auto scale = work.schedule.reference_of(step.scale);
  if (!scale) return std::nullopt;
  const auto& repetitions = step.clip == 1 ? work.repetitions.image : work.repetitions.video;
  return Step{.clip = step.clip - 1, .scale = *scale, .repetition = repetitions.back() - 1, .last_repetition = true};
}

int64_t context_tokens(const Workload& work, const Step& step) {
  const auto reference = referenced_step(work, step);
  return work.text_tokens + work.condition_tokens + (reference ? tokens_of(work, *reference) : 0);
}

PassLayout layout_of(const Workload& work, const Step& step) {
  // A pass that keeps its stream and computes fewer tokens has a LayerReducer.
  const int64_t tokens = tokens_of(work, step);
  if (tokens != stream_tokens_of(work, step)) return {};
  return layout_of(work.processes, work.guidance_rows.of(step), tokens, work.star.kv_heads, work.device);
}

std::vector<Step> steps_to_run(const Workload& work) {
  std::vector<Step> steps = work.schedule.steps(work.repetitions);
  std::erase_if(steps, [&](const Step& step) {
    return step.clip < work.given_clips && !work.schedule.is_referenced_later(step);
  });
  return steps;
}

VideoShape shape_of(const Workload& work, int64_t frames) {
  const Scale& full = work.schedule.full_scale(0);
  return {pixels_of_features(full.h), pixels_of_features(full.w), frames};
}

namespace {

/// Of the layers.
double linear_parameters(const StarArchitecture& star) {
  const double attention = 2.0 * static_cast<double>(star.hidden_size * (star.heads + star.kv_heads) * star.head_dim);
  return static_cast<double>(star.layers) * (attention + 3.0 * static_cast<double>(star.hidden_size * star.ffn_width));
}

/// The weights of the transformer. Its two heads are float32 in any precision; they are too small to count apart, as
/// are the scales of E4M3.
int64_t transformer_bytes(const Workload& work) {
  const auto in_linears = static_cast<int64_t>(linear_parameters(work.star));
  const LinearPrecision linears = work.star.linears;
  const int64_t linear_bytes =
      (linears == LinearPrecision::fp8 ? 0 : element_bytes(work)) + (linears == LinearPrecision::backbone ? 0 : 1);
  return in_linears * linear_bytes + (parameter_count(work.star) - in_linears) * element_bytes(work);
}

}  // namespace

bool attends_in_fp8(const Workload& work, const Step& step) {
  if (work.attention_precision != AttentionPrecision::automatic) {
    return work.attention_precision == AttentionPrecision::fp8;
  }
  return work.fp8.contains(step) && tokens_of(work, step) >= kFp8MinQueries;
}

double linear_flops(const Workload& work, const Step& step) {
  return 2.0 * static_cast<double>(work.guidance_rows.of(step) * tokens_of(work, step)) * linear_parameters(work.star);
}

double attention_flops(const Workload& work, const Step& step) {
  const auto width = static_cast<double>(work.star.heads * work.star.head_dim * work.star.layers);
  const int64_t tokens = tokens_of(work, step);
  const auto keys = static_cast<double>(tokens + context_tokens(work, step));
  return 4.0 * static_cast<double>(work.guidance_rows.of(step) * tokens) * keys * width;
}

double text_flops(const Workload& work) {
  return 2.0 * static_cast<double>(work.text_tokens * parameter_count(work.t5));
}

double decoded_pixels(const Workload& work) {
  const VideoShape shape = shape_of(work, frames_of_latents(work.decoded_latents));
  return static_cast<double>(shape.frames * shape.height * shape.width);
}

namespace {

constexpr int64_t kKilobyte = 1024;

/// The number behind the word `key`; 0 without it, or without the file.
int64_t number_in(const fs::path& file, const std::string& key) {
  std::ifstream stream(file);
  for (std::string word; stream >> word;) {
    int64_t number = 0;
    if (word == key && stream >> number) return number;
  }
  return 0;
}

/// The number that the file is; nothing for "max", or without the file.
std::optional<int64_t> number_of(const fs::path& file) {
  std::ifstream stream(file);
  int64_t number = 0;
  return stream >> number ? std::optional(number) : std::nullopt;
}

/// What the limit of the control group leaves; a huge number without a limit.
int64_t control_group_bytes(const fs::path& group) {
  const auto limit = number_of(group / "memory.max");
  if (!limit) return std::numeric_limits<int64_t>::max();
  const int64_t cache =
      number_in(group / "memory.stat", "active_file") + number_in(group / "memory.stat", "inactive_file");
  const int64_t used = number_of(group / "memory.current").value_or(0) - cache;
  return std::clamp<int64_t>(*limit - used, 0, *limit);
}

/// CUDA context, library workspaces and the allocator's rounding, beside tensors.
constexpr int64_t kCudaReserve = 1'200'000'000;
/// Buffers of NCCL; a guess, as nobody has measured it.
constexpr int64_t kNcclReserve = 500'000'000;

double gigabytes(int64_t bytes) { return static_cast<double>(bytes) * 1e-9; }

/// Keys and values of `rows` tokens, counted over the guidance batch, in one layer.
int64_t layer_kv_bytes(const Workload& work, int64_t rows) {
  return 2 * rows * work.star.kv_heads * work.star.head_dim * element_bytes(work);
}

/// The KvCache of a pass: every layer of text and, from the second clip on, of the reference, and room behind them.
int64_t context_bytes(const Workload& work, const Step& step) {
  const int64_t tokens = context_tokens(work, step) + kv_room(work.schedule);
  return work.star.layers * layer_kv_bytes(work, work.guidance_rows.all() * tokens);
}

/// Keys and values that this pass leaves behind while the earlier ones are still there: on every GPU those of all.
int64_t kept_bytes(const Workload& work, const Step& step) {
  const int64_t rows = work.guidance_rows.of(step) * tokens_of(work, step);
  return work.schedule.is_referenced_later(step) ? work.star.layers * layer_kv_bytes(work, rows) : 0;
}

/// Tokens of a pass that one process computes, counted over its guidance rows.
struct PassTokens {
  int64_t rows = 0;  ///< of the guidance batch
  int64_t each = 0;  ///< in a row
  int64_t all() const { return rows * each; }
};

int64_t parts_of(int64_t total, int64_t parts) { return (total + parts - 1) / parts; }

PassTokens own_tokens(const Workload& work, const Step& step) {
  const PassLayout layout = layout_of(work, step);
  return {parts_of(work.guidance_rows.of(step), layout.rows), parts_of(stream_tokens_of(work, step), layout.tokens)};
}

/// The widest moment of a block, counted from core/model/star/transformer.cpp: four rows of C in attention with keys
/// and values of context and pass in one buffer, or five rows of C, or four and a piece of the feed-forward network. A
/// process of several has its part of them, in attention once more on the way to and from the others, and at the end
/// the hidden states of all.
int64_t block_bytes(const Workload& work, const Step& step) {
  const PassLayout layout = layout_of(work, step);
  const PassTokens own = own_tokens(work, step);
  const auto bytes_of_rows = [&](int64_t rows) { return rows * work.star.hidden_size * element_bytes(work); };
  const int64_t row_bytes = bytes_of_rows(own.all());
  // float32 attention on a GPU expands keys and values to the query heads.
  const int64_t expansion =
      work.device.is_cuda() && work.dtype == at::kFloat ? 1 + work.star.heads / work.star.kv_heads : 1;
  // All tokens of some heads.
  const int64_t keys = own.rows * (stream_tokens_of(work, step) + context_tokens(work, step));
  const int64_t joined = layer_kv_bytes(work, keys) / work.star.kv_heads * parts_of(work.star.kv_heads, layout.tokens);
  // E4M3 has a byte where bfloat16 has two.
  const int64_t rounded = attends_in_fp8(work, step) ? (row_bytes + joined) / 2 : 0;
  const int64_t turned = layout.tokens > 1 ? 2 * row_bytes + 2 * layer_kv_bytes(work, own.all()) : 0;
  const int64_t attention = 4 * row_bytes + expansion * joined + rounded + turned;
  const int64_t piece =
      std::min(own.all(), kMlpRows) * (3 * work.star.ffn_width + work.star.hidden_size) * element_bytes(work);
  const int64_t whole =
      layout.processes() > 1 ? bytes_of_rows(work.guidance_rows.of(step) * stream_tokens_of(work, step)) : 0;
  return std::max({attention, 4 * row_bytes + piece, 5 * row_bytes, row_bytes + whole});
}

int64_t step_bytes(const Workload& work, const Step& step) {
  const int64_t tokens = stream_tokens_of(work, step);
  const int64_t rope = 2 * tokens * work.star.head_dim / 2 * static_cast<int64_t>(sizeof(float));
  return context_bytes(work, step) + kept_bytes(work, step) + rope + block_bytes(work, step);
}

/// The rows of the frames that one process decodes, with a row of each neighbour at every convolution.
VideoShape decoded_share(const Workload& work, const VideoShape& whole) {
  const int64_t latents = whole.height / kPixelsPerLatent;
  return {kPixelsPerLatent * parts_of(latents, std::min<int64_t>(work.processes, latents)), whole.width, whole.frames};
}

/// What a decode holds. A process of several also has each convolution's input with the rows of its neighbours, and the
/// first one the frames of all.
int64_t decode_bytes(const Workload& work, const DecodeOptions& options) {
  const VideoShape whole = shape_of(work, frames_of_latents(work.decoded_latents));
  const int64_t own = decode_peak_bytes(work.vae, decoded_share(work, whole), work.dtype, options);
  if (work.processes == 1) return own;
  const int64_t frames = 2 * kFramesPerLatent * options.slice_latents * kRgb * whole.height * whole.width;
  // The input is one of the four tensors of the largest moment.
  return own + own / 4 + frames * element_bytes(work);
}

/// The accumulated features: all clips so far, one being added to.
int64_t codes_bytes(const Workload& work) {
  const Scale& full = work.schedule.full_scale(0);
  return 4 * static_cast<int64_t>(sizeof(float)) * kFeatureChannels * work.schedule.latent_frames() * full.h * full.w;
}

struct PartBytes {
  int64_t text = 0;
  int64_t transformer = 0;
  int64_t vae = 0;
};

PartBytes weight_bytes(const Workload& work) {
  const int64_t element = element_bytes(work);
  const int64_t encoder =
      work.source_frames > 0 ? encoder_parameter_count(work.vae) * static_cast<int64_t>(sizeof(float)) : 0;
  return {.text = parameter_count(work.t5) * element,
          .transformer = transformer_bytes(work),
          .vae = decoder_parameter_count(work.vae) * element + encoder};
}

/// What the parts that wait take while one of them works.
PartBytes waiting_bytes(const PartBytes& weights, Residency residency) {
  switch (residency) {
    case Residency::everything:
      return {.text = weights.transformer + weights.vae,
              .transformer = weights.text + weights.vae,
              .vae = weights.text + weights.transformer};
    case Residency::generators: return {.text = 0, .transformer = weights.vae, .vae = weights.transformer};
    case Residency::one_part: break;
  }
  return {};
}

/// Bytes for tensors.
int64_t supply_of(const Workload& work, const MemoryBudget& budget) {
  if (work.device.is_cpu()) return usable_host_bytes();
  constexpr double kGigabyte = 1e9;
  const auto limit = static_cast<int64_t>(budget.vram.value_or(0) * kGigabyte);
  const int64_t free = budget.absent_gpu ? limit : usable_device_bytes(work.device);
  const int64_t allowed = budget.vram ? limit : free;
  return std::min(free, allowed) - reserve_bytes(work);
}

/// From fast to small.
std::vector<MemoryMode> modes_up_to(Residency most, const Workload& work) {
  std::vector<MemoryMode> modes;
  for (const Residency residency : {Residency::everything, Residency::generators, Residency::one_part}) {
    // A preview needs transformer and VAE at once.
    if (residency < most || (residency == Residency::one_part && work.preview)) continue;
    for (const int64_t slice : {2, 1}) modes.push_back({residency, {.slice_latents = slice}});
  }
  return modes;
}

/// GB with one digit, so that the number asked for is enough.
double rounded_up(int64_t bytes) { return std::ceil(gigabytes(bytes) * 10) / 10; }

/// `way_out`: what would make it fit, to be named first; may be empty.
[[noreturn]] void fail_memory(const Workload& work, const MemoryBudget& budget, int64_t need, int64_t supply,
                              const std::string& way_out) {
  const int64_t reserve = reserve_bytes(work);
  const char* const others = budget.absent_gpu ? "" : " or the free memory";
  const std::string limit = budget.vram ? fmt::format("--vram {:g}{} allows", *budget.vram, others) : "free:";
  fail(ErrorKind::device,
       fmt::format("{}: this run needs at least {:.1f} GB; {} {:.1f} GB", work.device.str(), rounded_up(need + reserve),
                   limit, gigabytes(supply + reserve)),
       fmt::format("{}a smaller --resolution or --duration{}, or another --device", way_out,
                   work.dtype == at::kFloat ? ", --precision bf16" : ""));
}

/// The least that a run needs in any mode. `need` tells what counts of a plan.
template <typename Need>
int64_t least_need(const Workload& work, const std::vector<MemoryMode>& modes, Need need) {
  int64_t least = std::numeric_limits<int64_t>::max();
  for (const MemoryMode& mode : modes) least = std::min(least, std::invoke(need, plan_memory(work, mode)));
  return least;
}

/// "--precision fp8, " where weights in 8 bits alone would make the run fit; else nothing.
template <typename Need>
std::string way_out_by_fp8(const Workload& work, const MemoryBudget& budget, const std::vector<MemoryMode>& modes,
                           Need need, int64_t supply) {
  const bool may_round = work.dtype == at::kBFloat16 && work.star.linears != LinearPrecision::fp8 &&
                         work.device.is_cuda() && (budget.absent_gpu || !fp8_obstacle(work.device));
  if (!may_round) return "";
  Workload rounded = work;
  rounded.star.linears = LinearPrecision::fp8;
  rounded.fp8 = Fp8Passes(LinearPrecision::fp8, std::nullopt, work.schedule);
  if (least_need(rounded, modes, need) > supply) return "";
  return work.star.linears == LinearPrecision::backbone ? "--precision fp8, " : "--fp8-scales all, ";
}

/// The first mode that fits. `need` tells what counts of a plan.
template <typename Need>
MemoryPlan first_that_fits(const Workload& work, const MemoryBudget& budget, const std::vector<MemoryMode>& modes,
                           Need need) {
  const int64_t supply = supply_of(work, budget);
  for (const MemoryMode& mode : modes) {
    const MemoryPlan plan = plan_memory(work, mode);
    if (std::invoke(need, plan) <= supply) return plan;
  }
  fail_memory(work, budget, least_need(work, modes, need), supply, way_out_by_fp8(work, budget, modes, need, supply));
}

}  // namespace

int64_t reserve_bytes(const Workload& work) {
  if (work.device.is_cpu()) return 0;
  return kCudaReserve + (work.processes > 1 ? kNcclReserve : 0);
}

int64_t usable_host_bytes(const fs::path& root) {
  const int64_t available = number_in(root / "proc/meminfo", "MemAvailable:") * kKilobyte;
  return std::min(available, control_group_bytes(root / "sys/fs/cgroup")) +
         number_in(root / "proc/self/status", "RssAnon:") * kKilobyte;
}

int64_t MemoryPlan::peak() const { return std::max({text, source, tokens, decode}); }

std::string MemoryPlan::text_line() const {
  const std::string encode = source > 0 ? fmt::format("source {:.1f}, ", gigabytes(source)) : "";
  return fmt::format("{:.1f} GB (text {:.1f}, {}tokens {:.1f}, decode {:.1f}; weights {:.1f}){}", gigabytes(peak()),
                     gigabytes(text), encode, gigabytes(tokens), gigabytes(decode), gigabytes(weights),
                     mode.residency == Residency::one_part ? ", one part of the model at a time" : "");
}

MemoryPlan plan_memory(const Workload& work, const MemoryMode& mode) {
  const PartBytes weights = weight_bytes(work);
  const PartBytes waiting = waiting_bytes(weights, mode.residency);
  int64_t largest_pass = 0;
  int64_t largest_context = 0;
  for (const Step& step : steps_to_run(work)) {
    largest_pass = std::max(largest_pass, step_bytes(work, step));
    largest_context = std::max(largest_context, context_bytes(work, step));
  }
  MemoryPlan plan;
  plan.mode = mode;
  plan.weights = weights.text + weights.transformer + weights.vae;
  plan.text = weights.text + waiting.text + 16 * work.text_tokens * work.t5.ffn_width * element_bytes(work);
  plan.tokens = weights.transformer + waiting.transformer + codes_bytes(work) + largest_pass;
  plan.decode = weights.vae + waiting.vae + codes_bytes(work) + decode_bytes(work, mode.decode);
  if (work.preview) plan.tokens = std::max(plan.tokens, plan.decode + largest_context);
  if (work.source_frames > 0) {
    // The transformer loads after the source is encoded, unless it is there from the run before.
    const int64_t others = mode.residency == Residency::everything ? waiting.vae : 0;
    plan.source = weights.vae + others + encode_peak_bytes(work.vae, shape_of(work, work.source_frames));
  }
  const int64_t coming = mode.residency == Residency::generators ? weights.transformer : 0;  // else counted already
  const int64_t loading = mode.residency == Residency::one_part ? 0 : coming;
  plan.warms_up = std::max(plan.text, plan.source) + loading + kWarmUpBytes <= plan.peak();
  plan.loads_ahead = mode.residency != Residency::one_part && std::max(plan.text, plan.source) + coming <= plan.peak();
  return plan;
}

MemoryPlan choose_memory_plan(const Workload& work, const MemoryBudget& budget) {
  return first_that_fits(work, budget, modes_up_to(budget.most, work), &MemoryPlan::peak);
}

MemoryPlan choose_decode_plan(const Workload& work, const MemoryBudget& budget) {
  return first_that_fits(work, budget, modes_up_to(Residency::one_part, work), &MemoryPlan::decode);
}

}  // namespace faststar
