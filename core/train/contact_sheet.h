#pragma once
#include <vector>

#include "core/tensor.h"

namespace faststar {

/// Videos side by side: a row a clip, and in it the chosen frames of each video, halved in size.
/// videos [B, 3, F, H, W] in about [-1, 1], all of one shape. Returns uint8 [rows, columns, 3] on the CPU.
Tensor contact_sheet(const std::vector<Tensor>& videos, const std::vector<int64_t>& frames);

}  // namespace faststar
