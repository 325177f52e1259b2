#include "core/base/weights/safetensors.h"

#include <ATen/ATen.h>
#include <unistd.h>

#include <sstream>

#include "core/base/hash.h"
#include "core/base/weights/file_bytes.h"
#include "support/full_disk.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::error_of;
using test::safetensors_bytes;

uint64_t hash_of(const Tensor& tensor) {
  return fnv1a({static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()});
}

/// The error of opening a file with this content, and of reading its tensor "x" when it opens.
Error error_of_file(const std::string& content) {
  const test::TempDir folder;
  const auto path = folder / "bad.safetensors";
  test::write_text(path, content);
  const Error error = error_of([&] { open_safetensors(path)->read("x", {}, at::kCPU); });
  CHECK(error.kind() == ErrorKind::model);
  CHECK(std::string(error.what()).find(path.string()) != std::string::npos);
  return error;
}

TEST_CASE("safetensors files written by Python read bit by bit", "[weights_files]") {
  // Hashes of the data bytes, made in Python from the same files.
  const auto t5 = open_safetensors(test::golden_dir() / "t5/model.safetensors");
  const Tensor embedding = t5->read("shared.weight", {}, at::kCPU);
  CHECK(embedding.sizes() == at::IntArrayRef{600, 64});
  CHECK(embedding.dtype() == at::kFloat);
  CHECK(hash_of(embedding) == 0xfa3a2138beaec11a);
  CHECK(t5->metadata().at("format") == "pt");

  const auto star = open_safetensors(test::golden_dir() / "star_weights/model-00001-of-00002.safetensors");
  const Tensor k_proj = star->read("block_chunks.0.module.0.attn.k_proj.weight", {}, at::kCPU);
  CHECK(k_proj.sizes() == at::IntArrayRef{64, 128});
  CHECK(k_proj.dtype() == at::kBFloat16);
  CHECK(hash_of(k_proj) == 0x30336d9b59897d66);
}

TEST_CASE("a header of 60,000 tensors is read, not gone through again for each", "[weights_files]") {
  constexpr int kTensors = 60'000;
  std::string header;
  for (int i = 0; i < kTensors; ++i) {
    header +=
        fmt::format(R"({}"{}":{{"dtype":"U8","shape":[],"data_offsets":[{},{}]}})", i == 0 ? "{" : ",", i, i, i + 1);
  }
  const test::TempDir folder;
  test::write_text(folder / "many.safetensors", safetensors_bytes(header + "}", std::string(kTensors, 'a')));
  CHECK(open_safetensors(folder / "many.safetensors")->tensors().size() == kTensors);
}

TEST_CASE("a tensor with more dimensions than LibTorch has is refused", "[weights_files]") {
  std::string ones;
  for (int i = 0; i < 65; ++i) ones += i == 0 ? "1" : ",1";
  const std::string header = R"({"x":{"dtype":"U8","shape":[)" + ones + R"(],"data_offsets":[0,1]}})";
  CHECK(test::says(error_of_file(safetensors_bytes(header, "a")), "does not fit its 1 bytes of data"));
}

TEST_CASE("a tensor from a file outlives the file, and writing to it leaves the file alone", "[weights_files]") {
  const test::TempDir folder;
  const auto path = folder / "a.safetensors";
  const std::string content = safetensors_bytes(R"({"x":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}})",
                                                std::string("\1\0\0\0\2\0\0\0", 8));
  test::write_text(path, content);
  Tensor x;
  {
    const auto file = open_safetensors(path);
    x = file->read("x", {}, at::kCPU);
    x.add_(5);
    CHECK(test::same(file->read("x", {}, at::kCPU), at::tensor({1, 2}, at::kInt)));
  }
  CHECK(test::same(x, at::tensor({6, 7}, at::kInt)));
  CHECK(test::read_text(path) == content);
}

/// Megabytes of memory that this process has in use, file pages included.
int64_t resident_megabytes() {
  std::istringstream pages(test::read_text("/proc/self/statm"));
  int64_t total = 0;
  int64_t resident = 0;
  pages >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE) >> 20;
}

TEST_CASE("a file costs the memory of the tensors that are held, and only once they are touched", "[weights_files]") {
  const test::TempDir folder;
  const auto path = folder / "a.safetensors";
  test::write_text(path, safetensors_bytes(R"({"large":{"dtype":"U8","shape":[67108864],"data_offsets":[0,67108864]},
      "small":{"dtype":"U8","shape":[4],"data_offsets":[67108864,67108868]}})",
                                           ""));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) + (64 << 20) + 4);  // zeros that take no disk
  const int64_t before = resident_megabytes();
  const auto file = open_safetensors(path);
  CHECK(file->read("small", {}, at::kCPU).sum().item<int>() == 0);
  CHECK(resident_megabytes() - before < 16);
  Tensor large = file->read("large", {}, at::kCPU);
  CHECK_FALSE(large.any().item<bool>());
  CHECK(resident_megabytes() - before > 48);
  large.reset();
  CHECK(resident_megabytes() - before < 16);
}

TEST_CASE("misaligned, empty and scalar tensors and foreign bools read", "[weights_files]") {
  const test::TempDir folder;
  const auto path = folder / "a.safetensors";
  const float value = 1.5f;
  std::string data = std::string("\0\2\1", 3) + test::bytes_of(value);
  test::write_text(path, safetensors_bytes(R"({"bools":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]},
      "scalar":{"dtype":"F32","shape":[],"data_offsets":[3,7]},
      "none":{"dtype":"F32","shape":[0,4],"data_offsets":[7,7]}})",
                                           data));
  const auto file = open_safetensors(path);
  CHECK(test::same(file->read("bools", {}, at::kCPU), at::tensor({0, 1, 1}).to(at::kBool)));
  CHECK(file->read("scalar", {}, at::kCPU).item<float>() == value);
  CHECK(file->read("none", {}, at::kCPU).sizes() == at::IntArrayRef{0, 4});
}

TEST_CASE("a dtype that we do not know is an error only when it is read", "[weights_files]") {
  const test::TempDir folder;
  const auto path = folder / "a.safetensors";
  test::write_text(path, safetensors_bytes(R"({"x":{"dtype":"F8_E5M2","shape":[2],"data_offsets":[0,2]},
      "y":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
                                           "abc"));
  const auto file = open_safetensors(path);
  CHECK(file->read("y", {}, at::kCPU).item<int>() == 'c');
  const Error error = error_of([&] { file->read("x", {}, at::kCPU); });
  CHECK(error.kind() == ErrorKind::model);
  CHECK(test::says(error, "F8_E5M2"));
}

TEST_CASE("a damaged safetensors header is one clear error", "[weights_files]") {
  const auto with_header = [](const char* header) { return error_of_file(safetensors_bytes(header, "12345678")); };
  CHECK(test::says(error_of_file(""), "0 bytes"));
  CHECK(test::says(error_of_file("1234567"), "7 bytes"));
  CHECK(test::says(error_of_file(test::bytes_of<uint64_t>(~0ull) + "{}"), "18446744073709551615"));
  CHECK(test::says(error_of_file(test::bytes_of<uint64_t>(3) + "{}"), "expected a header of 3 bytes"));
  CHECK(test::says(error_of_file("RIFF and then a film, a picture or a sound"), "no header at its start"));
  CHECK(test::says(with_header("[]"), "expected a JSON object"));
  CHECK(test::says(with_header("{\"x\":"), "expected a JSON object"));
  CHECK(test::says(with_header("{\"\xff\":1}"), "expected a JSON object"));
  CHECK(test::says(with_header(R"({"x":3})"), "tensor x"));
  CHECK(test::says(with_header(R"({"x":{"dtype":"F32","shape":[2]}})"), "tensor x"));
  CHECK(test::says(with_header(R"({"x":{"dtype":4,"shape":[2],"data_offsets":[0,8]}})"), "tensor x"));
  CHECK(test::says(with_header(R"({"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})"), "tensor x"));
  CHECK(test::says(with_header(R"({"x":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})"), "tensor x"));
  CHECK(test::says(with_header(R"({"x":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]}})"),
                   "tensor x"));
  CHECK(test::says(with_header(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}})"), "tensor x"));
  CHECK(test::says(with_header(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})"), "[8, 0]"));
  CHECK(test::says(with_header(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}})"), "[1, 9]"));
  CHECK(test::says(with_header(R"({"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,8]}})"), "does not fit"));
  CHECK(test::says(with_header(R"({"x":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})"),
                   "does not fit"));
  CHECK(test::says(with_header(R"({"x":{"dtype":"U8","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}})"),
                   "does not fit"));
  CHECK(test::says(with_header(R"({"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},
                             "y":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}})"),
                   "overlap"));
  CHECK(test::says(with_header(R"({"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},
                             "x":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})"),
                   "duplicate"));
  CHECK(test::says(with_header(R"({"x":{"dtype":"U8","dtype":"I8","shape":[4],"data_offsets":[0,4]}})"), "duplicate"));
  CHECK(
      test::says(with_header(R"({"x\u001b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})"), "control characters"));
  CHECK(test::says(with_header(R"({"__metadata__":{"a":1}})"), "__metadata__"));
  CHECK(test::says(with_header(R"({"y":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})"), "tensor x is missing"));
}

TEST_CASE("a header of a million brackets is refused, not followed", "[weights_files]") {
  CHECK(test::says(error_of_file(safetensors_bytes("{\"x\":" + std::string(1'000'000, '['), "")), "nested deeper"));
}

TEST_CASE("a header longer than any checkpoint's is refused before it is parsed", "[weights_files]") {
  const std::string header = "{\"x\":[" + std::string(17 << 20, ' ') + "]}";
  CHECK(test::says(error_of_file(safetensors_bytes(header.c_str(), "")), "expected at most 16777216"));
}

TEST_CASE("only regular files are opened", "[weights_files]") {
  const test::TempDir folder;
  CHECK(test::says(error_of([&] { open_safetensors(folder.path()); }), "not a regular file"));
  CHECK(test::says(error_of([&] { open_safetensors(folder / "absent"); }), "No such file"));
}

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
