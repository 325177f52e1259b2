#include "core/base/weights/weight_loader.h"

#include <ATen/ATen.h>

#include <filesystem>

#include "core/base/weights/file_bytes.h"
#include "core/base/weights/safetensors.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::TempDir;

/// Every floating-point tensor of `source` in `dtype`.
TensorRequests all_of(const TensorSource& source, at::ScalarType dtype) {
  TensorRequests requests;
  for (const auto& [name, info] : source.tensors()) {
    if (c10::isFloatingType(info.dtype)) requests[name] = {dtype, info.shape};
  }
  return requests;
}

/// A tensor of several pieces, one of a few elements and one of none, of three dtypes.
void write_sample(const std::filesystem::path& path) {
  write_safetensors(path,
                    {{"large", test::seeded_randn({3, 1'500'001}, 1)},
                     {"half", test::seeded_randn({1001}, 2).to(at::kHalf)},
                     {"rounded", test::seeded_randn({7, 3}, 3).to(at::kBFloat16)},
                     {"empty", at::empty({0, 4})}},
                    {}, Existing::replace);
}

TEST_CASE("tensors read at once are those that are read one by one", "[weights_files]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const TempDir folder;
  write_sample(folder / "a.safetensors");
  for (const auto& path :
       {folder / "a.safetensors", test::golden_dir() / "star_weights", test::golden_dir() / "vae_weights.pth"}) {
    const auto source = open_checkpoint(path);
    const TensorRequests requests = all_of(*source, dtype);
    const auto loader = std::make_shared<WeightLoader>(*source, requests, device);
    const Weights at_once(source, device, dtype, loader), one_by_one(source, device, dtype);
    for (const auto& [name, wanted] : requests) {
      CAPTURE(name);
      const Tensor tensor = at_once.get(name, wanted.shape);
      CHECK(tensor.device() == device);
      CHECK(test::same(tensor, one_by_one.get(name, wanted.shape)));
    }
    at_once.check_loaded();
    CHECK(loader->times().bytes > 0);
  }
}

TEST_CASE("fused layers become one tensor, also when they are read at once", "[weights_files]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const bool at_once = GENERATE(false, true);
  CAPTURE(device, at_once);
  const TempDir folder;
  // The first part spans several pieces; the parts do not follow each other in the file.
  const Tensor q = test::seeded_randn({70000, 40}, 1), k = test::seeded_randn({3, 40}, 2);
  const Tensor q_bias = test::seeded_randn({70000}, 3), k_bias = test::seeded_randn({3}, 4);
  write_safetensors(
      folder / "a.safetensors",
      {{"0.k.weight", k}, {"0.m", at::ones({5})}, {"0.q.weight", q}, {"0.q.bias", q_bias}, {"0.k.bias", k_bias}}, {},
      Existing::replace);
  const auto source = open_checkpoint(folder / "a.safetensors");
  const FusedLayers qk{"qk", {{"q", 70000}, {"k", 3}}};
  TensorRequests requests = all_of(*source, at::kFloat);
  const bool same_dtype = GENERATE(true, false);  // without it nothing is read as one
  if (!same_dtype) requests["0.k.weight"].dtype = at::kHalf;
  const auto loader = at_once ? std::make_shared<WeightLoader>(*source, requests, device, std::vector{qk}) : nullptr;
  const Weights weights(source, device, at::kFloat, loader);
  CHECK(test::same(weights.get_fused(qk, "0.", ".weight", {40}, at::kFloat).cpu(), at::cat({q, k})));
  CHECK(test::same(weights.get_fused(qk, "0.", ".bias", {}, at::kFloat).cpu(), at::cat({q_bias, k_bias})));
  CHECK(test::same(weights.get("0.m", {5}).cpu(), at::ones({5})));
  CHECK(weights.requests().at("0.k.weight").shape == std::vector<int64_t>{3, 40});
}

TEST_CASE("what is read at once may be written to, and the file stays as it is", "[weights_files]") {
  const TempDir folder;
  write_sample(folder / "a.safetensors");
  const auto source = open_checkpoint(folder / "a.safetensors");
  WeightLoader loader(*source, all_of(*source, at::kFloat), at::kCPU);
  const TensorInfo wanted{at::kFloat, {3, 1'500'001}};
  loader.take("large", wanted).zero_();
  CHECK(source->read("large", {}, at::kCPU).count_nonzero().item<int64_t>() > 4'000'000);
  CHECK_FALSE(loader.take("large", wanted).defined());  // each is given away once
  CHECK_FALSE(loader.take("absent", wanted).defined());
}

TEST_CASE("NaN and infinite values that were read at once are found in the end, by name", "[weights_files]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const double value = GENERATE(std::nan(""), HUGE_VAL, -HUGE_VAL);
  const TempDir folder;
  Tensor damaged = at::ones({3, 1'500'001});
  damaged[2][1'500'000] = value;
  write_safetensors(folder / "a.safetensors", {{"good", at::ones({5})}, {"x", damaged}}, {}, Existing::replace);
  const auto source = open_checkpoint(folder / "a.safetensors");
  const auto loader = std::make_shared<WeightLoader>(*source, all_of(*source, at::kBFloat16), device);
  const Weights weights(source, device, at::kBFloat16, loader);
  CHECK(weights.get("x", {3, 1'500'001}).numel() > 0);
  const Error error = test::error_of([&] { weights.check_loaded(); });
  CHECK(error.kind() == ErrorKind::model);
  CHECK(test::says(error, "a.safetensors: tensor x: contains NaN or infinite values"));
}

TEST_CASE("a file that became shorter is an error that names it", "[weights_files]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const TempDir folder;
  write_sample(folder / "a.safetensors");
  const auto source = open_checkpoint(folder / "a.safetensors");
  std::filesystem::resize_file(folder / "a.safetensors", 1 << 20);
  const Error error = test::error_of([&] {
    WeightLoader loader(*source, all_of(*source, at::kBFloat16), device);
    loader.take("large", {at::kBFloat16, {3, 1'500'001}});
    loader.check_finite();
  });
  CHECK(error.kind() == ErrorKind::model);
  CHECK(test::says(error, (folder / "a.safetensors").string() + ": the file became shorter while it was read"));
}

TEST_CASE("a loader that is not waited for stops", "[weights_files]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const TempDir folder;
  write_sample(folder / "a.safetensors");
  const auto source = open_checkpoint(folder / "a.safetensors");
  for (int i = 0; i < 20; ++i) {
    const WeightLoader loader(*source, all_of(*source, at::kBFloat16), device);
  }
}

}  // namespace
}  // namespace faststar
