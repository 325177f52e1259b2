#include "core/model/reduce/selection.h"

#include <ATen/ATen.h>

#include <limits>

#include "core/base/device.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

/// float32 -> int64 of the same order, within 32 bits. Zeros have one sign.
Tensor ordered_bits(const Tensor& values) {
  const Tensor bits = (values.nan_to_num(std::numeric_limits<double>::infinity()) + 0.0f).view(at::kInt).to(at::kLong);
  return at::where(bits.ge(0), bits, bits.bitwise_xor(0x7FFFFFFF));
}

/// [N] int64 below 2^32.
Tensor tie_words(const Ranking& ranking) {
  const int64_t count = ranking.score.size(0);
  const Tensor tokens =
      at::arange(ranking.first_token, ranking.first_token + count, ranking.score.options().dtype(at::kLong));
  if (ranking.tie_break == TieBreak::index) return 0xFFFFFFFF - tokens;
  return reference::philox_words(ranking.step, RandomPurpose::tie_break, tokens, 4).select(1, 0);
}

/// A permutation that sorts `keys` from the largest down and leaves equals as they are.
Tensor descending(const Tensor& keys) {
  return std::get<1>(at::sort(keys, /*stable=*/true, /*dim=*/0, /*descending=*/true));
}

Selection run_kernel(const Ranking& ranking, int64_t keep) {
  const Tensor score = ranking.score.contiguous();
  const Tensor primary = ranking.primary.defined() ? ranking.primary.contiguous() : Tensor();
  const int64_t count = score.size(0);
  Selection selection{at::empty({keep}, score.options().dtype(at::kLong)),
                      at::empty({count}, score.options().dtype(at::kByte))};
  const cuda::Stream stream = kernel_stream({score, primary});
  const Tensor workspace = at::empty({cuda::select_top_workspace(count, stream)}, score.options().dtype(at::kByte));
  cuda::select_top({.score = score.const_data_ptr<float>(),
                    .primary = primary.defined() ? primary.const_data_ptr<float>() : nullptr,
                    .kept = selection.kept.data_ptr<int64_t>(),
                    .mask = selection.mask.data_ptr<uint8_t>(),
                    .workspace = workspace.data_ptr(),
                    .count = count,
                    .keep = keep,
                    .first_token = ranking.first_token,
                    .hash_ties = ranking.tie_break == TieBreak::hash,
                    .seed = ranking.step.seed,
                    .stream_word = stream_word(ranking.step, RandomPurpose::tie_break),
                    .clip = static_cast<uint32_t>(ranking.step.clip)},
                   stream);
  return selection;
}

}  // namespace

Tensor ranked(const Ranking& ranking) {
  const Tensor order = descending(ordered_bits(ranking.score).__lshift__(32) + tie_words(ranking));
  if (!ranking.primary.defined()) return order;
  return order.index_select(0, descending(ordered_bits(ranking.primary).index_select(0, order)));
}

Tensor marked_tokens(const Tensor& mask) { return mask.nonzero().squeeze(1); }

Selection reference::select_top(const Ranking& ranking, int64_t keep) {
  const Tensor kept = std::get<0>(ranked(ranking).narrow(0, 0, keep).sort());
  const Tensor mask = at::zeros({ranking.score.size(0)}, ranking.score.options().dtype(at::kByte));
  return {kept, mask.index_fill(0, kept, 1)};
}

Selection select_top(const Ranking& ranking, int64_t keep) {
  TORCH_CHECK(ranking.score.dim() == 1 && ranking.score.scalar_type() == at::kFloat && keep >= 0 &&
                  keep <= ranking.score.size(0),
              "select_top: score [N] float32, 0 <= keep <= N");
  if (use_kernels(ranking.score)) return run_kernel(ranking, keep);
  return reference::select_top(ranking, keep);
}

}  // namespace faststar
