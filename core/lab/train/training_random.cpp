#include "core/lab/train/training_random.h"

#include <ATen/ATen.h>

namespace faststar {

Tensor TrainingRandom::uniform_tensor(at::IntArrayRef shape) {
  Tensor numbers = at::empty(shape, at::kFloat);
  auto* out = numbers.mutable_data_ptr<float>();
  for (int64_t i = 0; i < numbers.numel(); ++i) out[i] = uniform();
  return numbers;
}

}  // namespace faststar
