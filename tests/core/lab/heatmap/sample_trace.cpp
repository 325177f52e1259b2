#include "core/lab/heatmap/sample_trace.h"

#include <ATen/ATen.h>

#include "core/base/weights/safetensors.h"

namespace faststar::test {

std::string sample_steps_json() {
  return R"({"seed": 3, "settings": {}, "steps": [
    {"index": 0, "clip": 0, "scale": 0, "repetition": 0, "grid": [1, 1, 2], "tokens": 2, "kept": 2, "milliseconds": 1},
    {"index": 1, "clip": 0, "scale": 1, "repetition": 0, "grid": [1, 4, 6], "tokens": 24, "kept": 24, "milliseconds": 1},
    {"index": 7, "clip": 1, "scale": 2, "repetition": 0, "grid": [2, 1, 2], "tokens": 4, "kept": 4, "milliseconds": 1},
    {"index": 8, "clip": 1, "scale": 3, "repetition": 0, "grid": [2, 2, 4], "tokens": 16, "kept": 8, "milliseconds": 1},
    {"index": 9, "clip": 1, "scale": 4, "repetition": 1, "grid": [2, 4, 6], "tokens": 48, "kept": 12, "milliseconds": 1}]})";
}

void write_sample_trace(const std::filesystem::path& path) {
  const Tensor left = at::zeros({2, 2, 4}, at::kByte);
  left.narrow(2, 0, 2).fill_(1);
  const Tensor top = at::zeros({2, 4, 6}, at::kByte);
  top[1].narrow(0, 0, 2).fill_(1);
  const Tensor score = at::linspace(0, 0.5, 6).expand({2, 4, 6}).contiguous();
  write_safetensors(path,
                    {{"step.008.token_mask", left},
                     {"step.008.score", score},
                     {"step.009.token_mask", top},
                     {"step.009.score", score}},
                    {{"faststar", sample_steps_json()}}, Existing::replace);
}

}  // namespace faststar::test
