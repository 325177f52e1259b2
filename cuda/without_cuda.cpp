// Stands in for the rest of this folder in a build without CUDA, so that all other sources compile to the same objects
// in both. It lists no GPU, so nothing calls the rest.
#include "cuda/kernels.h"
#include "cuda/runtime.h"

namespace faststar::cuda {
namespace {

constexpr const char* kReason = "this faststar was built without CUDA";

[[noreturn]] void refuse() { throw Failure(kReason); }

}  // namespace

GpuList list_gpus() { return {{}, kReason}; }
const char* built_architectures() { return ""; }

Stream current_stream(int) { refuse(); }
int64_t usable_bytes(int) { refuse(); }
std::function<void()> copy_to_host(const at::Tensor&, const at::Tensor&) { refuse(); }

std::shared_ptr<GraphPool> make_graph_pool() { refuse(); }
std::function<void()> record(const std::function<void()>&, const std::shared_ptr<GraphPool>&) { refuse(); }

std::vector<uint8_t> make_communicator_id() { refuse(); }
std::unique_ptr<Communicator> join_communicator(const std::vector<uint8_t>&, int, int, int) { refuse(); }

void philox_uniform(float*, const int64_t*, int64_t, int64_t, uint64_t, uint32_t, uint32_t, Stream) { refuse(); }
void rms_norm(const RmsNorm&, FloatType, Stream) { refuse(); }
int64_t rms_norm_gradient_blocks(int64_t) { refuse(); }
void rms_norm_gradient(const RmsNormGradient&, FloatType, Stream) { refuse(); }
void split_qkv(const SplitQkv&, FloatType, Stream) { refuse(); }
void swiglu(void*, const void*, int64_t, int64_t, FloatType, Stream) { refuse(); }
void swiglu_gradient(const SwigluGradient&, FloatType, Stream) { refuse(); }
bool quantize_rows_takes(int64_t, FloatType) { refuse(); }
void quantize_rows(const QuantizeRows&, FloatType, Stream) { refuse(); }
void quantize_heads(const QuantizeHeads&, FloatType, Stream) { refuse(); }
void similarity_score(const Similarity&, Stream) { refuse(); }
int64_t select_top_workspace(int64_t, Stream) { refuse(); }
void select_top(const TopSelection&, Stream) { refuse(); }
void area_mean(const AreaMean&, Stream) { refuse(); }
void partial_update(const PartialUpdate&, Stream) { refuse(); }
bool norm_silu_takes(int64_t, FloatType) { refuse(); }
void norm_silu(const NormSilu&, FloatType, Stream) { refuse(); }
int64_t norm_silu_gradient_blocks(const NormSilu&, FloatType) { refuse(); }
void norm_silu_gradient(const NormSiluGradient&, FloatType, Stream) { refuse(); }
void depth_to_space(const DepthToSpace&, FloatType, Stream) { refuse(); }
bool rgb_conv_takes(int64_t) { refuse(); }
void rgb_conv(const RgbConv&, Stream) { refuse(); }
void yuv420(const Yuv420&, FloatType, Stream) { refuse(); }

}  // namespace faststar::cuda
