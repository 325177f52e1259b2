#include "core/lab/bench/op_clock.h"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "core/base/device.h"
#include "core/model/layers.h"

namespace faststar {
namespace {

constexpr size_t kMinCalls = 3;
constexpr size_t kMaxCalls = 15, kMaxCallsCpu = 5;
constexpr double kSecondsOfCalls = 0.5;

/// Overwritten between calls: several times the L2 of an H200 (50 MB), or more than a CPU core's share of the L3.
constexpr int64_t kEvictingBytes = int64_t{256} << 20;
constexpr int64_t kEvictingBytesCpu = int64_t{32} << 20;

}  // namespace

OpClock::OpClock(at::Device device)
    : device_(device),
      evicting_(at::empty({device.is_cuda() ? kEvictingBytes : kEvictingBytesCpu},
                          at::TensorOptions(device).dtype(at::kByte))) {}

Samples OpClock::time(const std::function<void()>& op) const {
  time_once(op);
  Samples samples;
  double sum = 0;
  const size_t most = device_.is_cpu() ? kMaxCallsCpu : kMaxCalls;
  while (samples.values.size() < kMinCalls || (samples.values.size() < most && sum < kSecondsOfCalls)) {
    sum += samples.values.emplace_back(time_once(op));
  }
  return samples;
}

double OpClock::time_once(const std::function<void()>& op) const {
  evicting_.zero_();
  if (device_.is_cpu()) {
    const auto start = BenchClock::now();
    op();
    return seconds_between(start, BenchClock::now());
  }
  const c10::impl::VirtualGuardImpl guard(device_.type());
  c10::Event start(device_.type(), c10::EventFlag::BACKEND_DEFAULT);
  c10::Event stop(device_.type(), c10::EventFlag::BACKEND_DEFAULT);
  start.record(guard.getStream(device_));
  op();
  stop.record(guard.getStream(device_));
  synchronize(device_);
  return start.elapsedTime(stop) * 1e-3;
}

Ceilings measure_ceilings(at::Device device, at::ScalarType dtype) {
  // Long enough to fill the device; a second on two CPU cores.
  const int64_t size = device.is_cuda() ? 8192 : 1024;
  const int64_t bytes = int64_t{1} << (device.is_cuda() ? 30 : 27);
  const OpClock clock(device);
  const Tensor from = at::zeros({bytes}, at::TensorOptions(device).dtype(at::kByte));
  const Tensor to = at::empty_like(from);
  const double copy = clock.time([&] { to.copy_(from); }).min();
  const Tensor a = at::randn({size, size}, at::TensorOptions(device).dtype(dtype));
  const Tensor b = at::randn_like(a);
  const double product = clock.time([&] { linear_product(a, b); }).min();
  const auto n = static_cast<double>(size);
  return {.dtype = dtype,
          .product_size = size,
          .product_flops = 2 * n * n * n / product,
          .copied_bytes = 2 * static_cast<double>(bytes) / copy};
}

}  // namespace faststar
