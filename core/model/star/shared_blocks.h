#pragma once
#include "core/base/process_group.h"
#include "core/model/star/transformer.h"

/// The blocks of a pass, computed by all processes of a group. Everything else of a run, every process computes alike.
namespace faststar {

/// How the processes share a pass: `rows` of them, or groups of them, each take a row of the guidance batch; within
/// each, `tokens` processes take equal parts of the tokens, and in attention of the kv heads (DeepSpeed-Ulysses,
/// arXiv:2309.14509). 1 and 1: every process computes the whole pass.
struct PassLayout {
  int64_t rows = 1;
  int64_t tokens = 1;
  int64_t processes() const { return rows * tokens; }
};

/// Passes of fewer tokens, counted over the guidance batch, are computed whole by every process: reading the weights is
/// most of their time, and sharing does not make that shorter. Neither number was measured on several GPUs.
inline constexpr int64_t kMinSharedTokens = 2048, kMinSharedTokensOnCpu = 64;

/// The layout of a pass of `rows` rows of `tokens` tokens. Processes that are left over wait for its result.
PassLayout layout_of(int64_t processes, int64_t rows, int64_t tokens, int64_t kv_heads, at::Device device);

/// A transformer whose blocks are computed by a group. A group of one runs them as StarTransformer does.
class SharedBlocks {
 public:
  /// Refers to both.
  SharedBlocks(const StarTransformer& model, ProcessGroup& group) : model_(model), group_(group) {}

  /// As StarTransformer::run_blocks: whole hidden states and whole keys and values, the same bits in every process.
  /// Passes with a LayerReducer are not shared: methods look at all tokens of a layer.
  Tensor run(Tensor x, const PassSetting& pass, PassKv* own) const;

  const StarTransformer& model() const { return model_; }
  ProcessGroup& group() const { return group_; }

 private:
  const StarTransformer& model_;
  ProcessGroup& group_;
};

}  // namespace faststar
