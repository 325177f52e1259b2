#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "core/model/pyramid/schedule.h"
#include "core/model/reduce/gate.h"
#include "core/model/star/generator.h"
#include "core/model/star/guidance_reuse.h"
#include "core/model/star/shared_blocks.h"
#include "core/model/star/transformer.h"
#include "core/model/t5.h"
#include "core/model/vae/architecture.h"
#include "core/pipeline/rates.h"

namespace faststar {

/// What one video costs depends on this alone: known before any weight is loaded.
struct Workload {
  StarArchitecture star;
  T5Architecture t5;
  VaeArchitecture vae;
  Schedule schedule = Schedule({Scale{}});
  Repetitions repetitions;
  GuidanceRows guidance_rows = GuidanceRows(2);
  int64_t text_tokens = 512;
  int64_t condition_tokens = 0;  ///< of the interactive conditions, which every step attends to
  int given_clips = 0;           ///< first clips whose bits come from a picture or video
  int64_t source_frames = 0;     ///< frames of that picture or video
  int64_t decoded_latents = 0;   ///< latent frames that the decoder gets at the end
  bool preview = false;          ///< each clip is decoded once while the transformer works
  bool warm = false;             ///< the device has run such passes before
  int processes = 1;             ///< that make the video together, one a GPU
  at::ScalarType dtype = at::kFloat;
  at::Device device = at::kCPU;
  AttentionPrecision attention_precision = AttentionPrecision::automatic;
  AttentionBackend attention = AttentionBackend::automatic;  ///< of long passes; automatic: not known
  Rates measured;                                            ///< of this device over this model
  Fp8Passes fp8;                                             ///< passes whose linear layers multiply in E4M3
  std::optional<ReductionGate> gate;                         ///< none: every pass computes every token
};

/// Tokens that a step computes.
int64_t tokens_of(const Workload& work, const Step& step);
/// Rows of a step's residual stream: methods that reduce inside of layers keep them all.
int64_t stream_tokens_of(const Workload& work, const Step& step);

/// The pass of the clip before whose keys and values a step attends to.
std::optional<Step> referenced_step(const Workload& work, const Step& step);
/// Tokens that a step attends to besides its own: text and what that pass kept.
int64_t context_tokens(const Workload& work, const Step& step);

/// How the processes share a pass.
PassLayout layout_of(const Workload& work, const Step& step);

/// The passes that run: of given clips only those that later clips attend to.
std::vector<Step> steps_to_run(const Workload& work);

/// `frames` of the size that the schedule makes: what the decoder makes, or the encoder reads.
VideoShape shape_of(const Workload& work, int64_t frames);

/// Floating-point operations of one pass over the visual tokens, all guidance rows it runs: matrix products of the
/// layers, and attention of the layers.
double linear_flops(const Workload& work, const Step& step);
double attention_flops(const Workload& work, const Step& step);

/// Of the text encoder over the longest text, and the pixels of all frames that are decoded.
double text_flops(const Workload& work);
double decoded_pixels(const Workload& work);

/// True when a pass attends in E4M3, if FlashAttention-3 is there.
bool attends_in_fp8(const Workload& work, const Step& step);

/// Which weights are on the device at a time: speed against memory. The result is the same for any.
enum class Residency {
  everything,  ///< text encoder, transformer and VAE: nothing loads twice, for many prompts
  generators,  ///< the text encoder leaves after use; transformer and VAE stay
  one_part,    ///< each part alone; the transformer loads again for the next video
};

/// How a run uses memory.
struct MemoryMode {
  Residency residency = Residency::generators;
  DecodeOptions decode;
};

/// Most bytes that tensors hold on the device during each stage, weights included; with several GPUs on each.
struct MemoryPlan {
  MemoryMode mode;
  int64_t text = 0;     ///< text encoder and its pass
  int64_t source = 0;   ///< encoding the source; 0 without one
  int64_t tokens = 0;   ///< keys and values, the largest pass
  int64_t decode = 0;   ///< the largest slice of the VAE
  int64_t weights = 0;  ///< all that a run reads from disk
  /// There is room for the transformer while text and source are encoded: it can load meanwhile.
  bool loads_ahead = false;
  /// There is room for warm_up() beside what loads while text is encoded.
  bool warms_up = false;

  int64_t peak() const;
  /// "25.1 GB (text 2.6, tokens 25.1, decode 20.3; weights 17.9)", GB = 10^9 bytes.
  std::string text_line() const;
};

MemoryPlan plan_memory(const Workload& work, const MemoryMode& mode);

/// Device memory that a run takes beside its tensors: the CUDA context, workspaces of libraries. 0 on a CPU.
int64_t reserve_bytes(const Workload& work);

/// What a run may use.
struct MemoryBudget {
  Residency most = Residency::generators;  ///< what it would keep on the device if there is room
  std::optional<double> vram;              ///< --vram in GB, the driver's own memory included; none: all that is free
  bool absent_gpu = false;                 ///< there is no device to ask: `vram` is what is free
};

/// The fastest plan that fits on the device as it is now and in the budget. Throws Error(device) naming the
/// smallest need and the supply when none does.
MemoryPlan choose_memory_plan(const Workload& work, const MemoryBudget& budget);

/// The same for decoding alone: only the VAE and the schedule of `work` count.
MemoryPlan choose_decode_plan(const Workload& work, const MemoryBudget& budget);

/// Bytes of host memory that are free, in the machine and in the control group of this process, or that this process
/// holds already. Page cache counts as free, ours too: mapped files are dropped and read again. `root` is where /proc
/// and /sys are.
int64_t usable_host_bytes(const std::filesystem::path& root = "/");

}  // namespace faststar
