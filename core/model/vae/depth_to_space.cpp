#include "core/model/vae/depth_to_space.h"

#include <ATen/ATen.h>

#include "core/base/device.h"
#include "cuda/kernels.h"

namespace faststar {
namespace {

/// Channels of the result.
int64_t channels_of(const Tensor& u, int64_t time) { return u.size(4) / (4 * time); }

void check_depth_to_space(const Tensor& u, const Tensor& bias, const Tensor& x, int64_t time) {
  TORCH_CHECK(u.dim() == 5 && x.dim() == 5 && u.sizes().slice(0, 4) == x.sizes().slice(0, 4) && time > 0 &&
                  u.size(4) % (4 * time) == 0 && u.dtype() == x.dtype(),
              "depth_to_space: u ", u.sizes(), " and x ", x.sizes(), " do not fit together");
  const int64_t C = channels_of(u, time);
  TORCH_CHECK(x.size(4) == C || x.size(4) == 2 * C || x.size(4) == 4 * C, "depth_to_space: x has ", x.size(4),
              " channels, expected 1, 2 or 4 times ", C);
  TORCH_CHECK(!bias.defined() || (bias.sizes() == u.sizes().slice(4) && bias.dtype() == u.dtype()),
              "depth_to_space: the bias does not fit ", u.sizes());
}

int64_t out_frames(int64_t frames, int64_t time, bool at_start) {
  return at_start ? 1 + (frames - 1) * time : frames * time;
}

Tensor compute(const Tensor& given_u, const Tensor& given_bias, const Tensor& given_x, int64_t time, bool at_start) {
  const Tensor u = kernel_operand(given_u), bias = kernel_operand(given_bias), x = kernel_operand(given_x);
  const int64_t B = u.size(0), T = u.size(1), H = u.size(2), W = u.size(3), C = channels_of(u, time);
  const Tensor out = at::empty({B, out_frames(T, time, at_start), 2 * H, 2 * W, C}, u.options());
  cuda::depth_to_space({.u = u.const_data_ptr(),
                        .bias = bias.defined() ? bias.const_data_ptr() : nullptr,
                        .shortcut = x.const_data_ptr(),
                        .out = out.mutable_data_ptr(),
                        .batch = B,
                        .frames = T,
                        .height = H,
                        .width = W,
                        .channels = C,
                        .time = time,
                        .shortcut_channels = x.size(4),
                        .out_frames = out.size(1)},
                       float_type(u), kernel_stream({u, bias, x, out}));
  return out;
}

/// Every frame becomes `time` frames.
Tensor shuffled(const Tensor& u, const Tensor& x, int64_t time) {
  const int64_t B = u.size(0), T = u.size(1), H = u.size(2), W = u.size(3), C = channels_of(u, time);
  // The shortcut repeats x's channels: they tell columns apart (2C), rows too (4C), or nothing (C).
  const int64_t rows = x.size(4) == 4 * C ? 2 : 1;
  const int64_t columns = x.size(4) >= 2 * C ? 2 : 1;
  const Tensor shortcut = x.reshape({B, T, 1, H, W, rows, columns, C}).permute({0, 1, 2, 3, 5, 4, 6, 7});
  return u.reshape({B, T, H, W, time, 2, 2, C})
      .permute({0, 1, 4, 2, 5, 3, 6, 7})  // [B, T, time, H, y, W, x, C]
      .clone(at::MemoryFormat::Contiguous)
      .add_(shortcut)
      .view({B, T * time, 2 * H, 2 * W, C});
}

/// The mean over the frames that one frame became: [B, T, H, W, time * 4 * C] -> [B, T, H, W, 4 * C].
Tensor mean_of_frames(const Tensor& u, int64_t time) { return u.unflatten(-1, {time, -1}).mean(-2); }

}  // namespace

Tensor reference::depth_to_space(const Tensor& u, const Tensor& bias, const Tensor& x, int64_t time, bool at_start) {
  check_depth_to_space(u, bias, x, time);
  const Tensor sum = bias.defined() ? u + bias : u;
  if (time == 1 || !at_start) return shuffled(sum, x, time);
  const Tensor first = shuffled(mean_of_frames(sum.narrow(1, 0, 1), time), x.narrow(1, 0, 1), 1);
  const int64_t rest = x.size(1) - 1;
  if (rest == 0) return first;
  return at::cat({first, shuffled(sum.narrow(1, 1, rest), x.narrow(1, 1, rest), time)}, 1);
}

Tensor depth_to_space(const Tensor& u, const Tensor& bias, const Tensor& x, int64_t time, bool at_start) {
  check_depth_to_space(u, bias, x, time);
  const bool whole_vectors = channels_of(u, time) * u.element_size() % 16 == 0;
  if (!whole_vectors || !kernels_take(u) || needs_gradient({u, bias, x})) {
    return reference::depth_to_space(u, bias, x, time, at_start);
  }
  return compute(u, bias, x, time, at_start);
}

}  // namespace faststar
