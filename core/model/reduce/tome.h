#pragma once
#include "core/model/reduce/reduction.h"

/// The steps of bipartite soft matching.
namespace faststar {

/// Which tokens may take others in (dst) and which may be merged (src): [D] and [S] int64, ascending, together all.
struct MergePartition {
  Tensor dst;
  Tensor src;
};

/// One destination in each whole cell of tome.dst_stride, or every other token. Drawn members depend on the position
/// and the pass alone.
MergePartition partition_tokens(const ToMeOptions& tome, const RandomStep& step, const Scale& scale, at::Device device);

/// Tokens after a merge.
struct TokenMerge {
  Tensor positions;  ///< [K] int64 ascending: the tokens that are left
  Tensor source;     ///< [N] int64: the row of each original token among them
};

/// Merges the tokens that are most like a destination until `kept` are left (bipartite soft matching).
/// features [N, C] float32 or bfloat16: their cosine is the similarity; a zero vector is like nothing.
TokenMerge match_tokens(const MergePartition& partition, const Tensor& features, int64_t kept, const RandomStep& step);

/// The merged tokens, means of all that share a row: tokens [B, N, C] -> [B, K, C].
Tensor merge_tokens(const TokenMerge& merge, const Tensor& tokens);

}  // namespace faststar
