#include "core/base/weights/safetensors.h"
#include "support/full_disk.h"
#include "support/support.h"

namespace faststar {
namespace {

TEST_CASE("what write_safetensors writes reads back equal, whatever dtype and strides", "[weights_files]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const test::TempDir folder;
  const Tensor matrix = test::seeded_randn({3, 5}, 1, device);
  const std::map<std::string, Tensor> tensors = {{"b.transposed", matrix.t()},
                                                 {"a.bytes", at::arange(5).to(device, at::kByte)},
                                                 {"c.bf16", matrix.to(at::kBFloat16)},
                                                 {"d.wide", at::arange(3).to(device, at::kLong)},
                                                 {"e.flags", matrix.gt(0)},
                                                 {"f.scalar", at::scalar_tensor(2.5, at::kDouble)},
                                                 {"g.none", at::empty({0, 3})}};
  const std::map<std::string, std::string> metadata = {{"faststar", R"({"prompt":"façades"})"}};
  write_safetensors(folder / "a.safetensors", tensors, metadata, Existing::refuse);
  write_safetensors(folder / "b.safetensors", tensors, metadata, Existing::refuse);
  CHECK(test::read_text(folder / "a.safetensors") == test::read_text(folder / "b.safetensors"));

  const auto file = open_safetensors(folder / "a.safetensors");
  CHECK(file->metadata() == metadata);
  CHECK(file->tensors().size() == tensors.size());
  for (const auto& [name, tensor] : tensors) {
    INFO(name);
    const Tensor read = file->read(name, {}, at::kCPU);
    CHECK(read.sizes() == tensor.sizes());
    CHECK(test::same(read, tensor));
  }
}

TEST_CASE("a full disk is an output error and leaves no file behind", "[weights_files]") {
  const test::TempDir folder;
  const Tensor large = at::zeros({1 << 16});
  const test::FullDisk full(1 << 12);
  const Error error = test::error_of([&] {
    write_safetensors(folder / "a.safetensors", {{"x", large}}, {}, Existing::refuse);
  });
  CHECK(error.kind() == ErrorKind::output);
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("an existing file is replaced only when asked", "[weights_files]") {
  const test::TempDir folder;
  const auto path = folder / "a.safetensors";
  test::write_text(path, "mine");
  const auto write = [&](Existing existing) { write_safetensors(path, {{"x", at::ones({1})}}, {}, existing); };
  CHECK(test::error_of([&] { write(Existing::refuse); }).kind() == ErrorKind::output);
  CHECK(test::read_text(path) == "mine");
  write(Existing::replace);
  CHECK(open_safetensors(path)->read("x", {}, at::kCPU).item<float>() == 1);
}

}  // namespace
}  // namespace faststar
