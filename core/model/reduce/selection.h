#pragma once
#include "core/base/random.h"
#include "core/base/tensor.h"
#include "core/model/reduce/settings.h"

namespace faststar {

/// What orders the tokens of one pool: the primary score where there is one, then the score, then the tie-break word,
/// then the index. A strict total order: the result depends on no sorting algorithm.
struct Ranking {
  Tensor score;    ///< [N] float32; NaN counts as infinity
  Tensor primary;  ///< [N] float32, or undefined
  TieBreak tie_break = TieBreak::hash;
  RandomStep step;          ///< keys the hash
  int64_t first_token = 0;  ///< index of the pool's first token in its clip, for the hash
};

struct Selection {
  Tensor kept;  ///< [K] int64, ascending
  Tensor mask;  ///< [N] uint8, 1 where kept
};

/// The `keep` tokens that rank highest, 0 <= keep <= N.
Selection select_top(const Ranking& ranking, int64_t keep);

/// The tokens from the highest rank down: [N] int64.
Tensor ranked(const Ranking& ranking);

/// The tokens that a mask [N] uint8 marks, ascending: [K] int64. Waits for the device, as K is not known before.
Tensor marked_tokens(const Tensor& mask);

namespace reference {
Selection select_top(const Ranking& ranking, int64_t keep);
}

}  // namespace faststar
