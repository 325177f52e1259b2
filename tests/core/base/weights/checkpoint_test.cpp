
#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/base/weights/file_bytes.h"
#include "core/base/weights/safetensors.h"
#include "core/base/weights/weight_loader.h"
#include "core/base/weights/weights.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::error_of;
using test::TempDir;
using test::write_text;

void write_tensor(const std::filesystem::path& path, const std::string& name, float value) {
  write_safetensors(path, {{name, at::full({2}, value)}}, {}, Existing::replace);
}

/// A file of torch.save with `name` = [value, value].
std::string torch_file_with(const std::string& name, float value) {
  const std::string tensor = test::pickled_tensor({.storage_elements = 2, .shape = {2}, .strides = {1}});
  return test::torch_bytes(test::pickled_dict({{name, tensor}}),
                           {{"0", test::bytes_of(value) + test::bytes_of(value)}});
}

float first_value(const std::filesystem::path& path, const std::string& name) {
  return open_checkpoint(path)->read(name, {}, at::kCPU)[0].item<float>();
}

Error error_of_opening(const std::filesystem::path& path) {
  const Error error = error_of([&] { open_checkpoint(path); });
  CHECK(error.kind() == ErrorKind::model);
  return error;
}

Error error_of_index(const std::string& index) {
  const TempDir folder;
  write_tensor(folder / "a.safetensors", "x", 1);
  write_text(folder / "model.safetensors.index.json", index);
  return error_of_opening(folder.path());
}

TEST_CASE("a sharded checkpoint reads every tensor of its index", "[weights_files]") {
  const auto star = open_checkpoint(test::golden_dir() / "star_weights");
  CHECK(star->tensors().size() == 55);
  const Weights weights(star, at::kCPU, at::kFloat);
  const Tensor word_embed = weights.get("word_embed.weight", {128, 64});  // of the second shard
  CHECK(word_embed.dtype() == at::kFloat);
  CHECK(test::same(word_embed.to(at::kBFloat16), star->read("word_embed.weight", {}, at::kCPU)));
  for (const auto& [name, info] : star->tensors()) CHECK(weights.get(name, info.shape).isfinite().all().item<bool>());
  weights.warn_about_unused({});
}

TEST_CASE("a folder is read by its index, else its safetensors file, else its torch file", "[weights_files]") {
  const TempDir folder;
  write_text(folder / "pytorch_model.bin", torch_file_with("x", 1));
  CHECK(first_value(folder.path(), "x") == 1);
  write_text(folder / "shard.bin", torch_file_with("x", 2));
  write_text(folder / "pytorch_model.bin.index.json", R"({"weight_map":{"x":"shard.bin"}})");
  CHECK(first_value(folder.path(), "x") == 2);
  write_tensor(folder / "other.safetensors", "x", 3);
  CHECK(first_value(folder.path(), "x") == 3);
  write_tensor(folder / "model.safetensors", "x", 4);
  CHECK(first_value(folder.path(), "x") == 4);
  write_text(folder / "model.safetensors.index.json", R"({"weight_map":{"x":"other.safetensors"}})");
  CHECK(first_value(folder.path(), "x") == 3);
}

TEST_CASE("a file is read by its content, whatever its name", "[weights_files]") {
  const TempDir folder;
  write_text(folder / "torch.safetensors", torch_file_with("x", 1));
  CHECK(first_value(folder / "torch.safetensors", "x") == 1);
  write_tensor(folder / "safe.pth", "x", 2);
  CHECK(first_value(folder / "safe.pth", "x") == 2);
}

TEST_CASE("older names are listed under today's", "[weights_files]") {
  const TempDir folder;
  const auto path = folder / "a.safetensors";
  write_safetensors(path, {{"semantic_head.bias", at::ones({1})}, {"encoder.embed_tokens.weight", at::zeros({1})}}, {},
                    Existing::refuse);
  const Weights weights(open_checkpoint(path), at::kCPU, at::kFloat);
  CHECK(weights.get("semantic_head2.bias", {1}).item<float>() == 1);
  CHECK(weights.get("shared.weight", {1}).item<float>() == 0);
  weights.warn_about_unused({});
}

TEST_CASE("a tensor stored under both names is listed once, under today's", "[weights_files]") {
  const TempDir folder;
  const auto path = folder / "a.safetensors";
  write_safetensors(path, {{"shared.weight", at::ones({1})}, {"encoder.embed_tokens.weight", at::zeros({1})}}, {},
                    Existing::refuse);
  const Weights weights(open_checkpoint(path), at::kCPU, at::kFloat);
  CHECK(weights.get("shared.weight", {1}).item<float>() == 1);
  weights.warn_about_unused({});
}

TEST_CASE("tensors that nobody asked for are one warning", "[weights_files]") {
  const test::CollectWarnings warnings;
  const Weights weights(open_checkpoint(test::golden_dir() / "t5"), at::kCPU, at::kFloat);
  weights.get("shared.weight", {600, 64});
  weights.warn_about_unused({"encoder.block."});
  REQUIRE(warnings.lines().size() == 1);
  CHECK(warnings.has("encoder.final_layer_norm.weight"));
}

TEST_CASE("a wrong shape names tensor, expected and stored shape", "[weights_files]") {
  const Weights weights(open_checkpoint(test::golden_dir() / "t5"), at::kCPU, at::kFloat);
  const Error error = error_of([&] { weights.get("shared.weight", {600, 32}); });
  CHECK(error.kind() == ErrorKind::model);
  CHECK(test::says(error, "shared.weight: expected shape [600, 32], got [600, 64]"));
  CHECK(test::says(error_of([&] { weights.get("shared.bias", {600}); }), "tensor shared.bias is missing"));
}

TEST_CASE("a path without weights is a model error with a hint", "[weights_files]") {
  const TempDir folder;
  CHECK_FALSE(error_of_opening(folder / "absent").hint().empty());
  CHECK_FALSE(error_of_opening(folder.path()).hint().empty());
  write_text(folder / "notes.txt", "no weights here");
  CHECK(test::says(error_of_opening(folder / "notes.txt"), "something else"));
  write_text(folder / "empty.pth", "");
  CHECK(test::says(error_of_opening(folder / "empty.pth"), "something else"));
  write_text(folder / "pointer.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
  CHECK(error_of_opening(folder / "pointer.safetensors").hint() == "git lfs pull");
  write_tensor(folder / "a.safetensors", "x", 1);
  CHECK(test::says(error_of_opening(folder.path()), "got 2 .safetensors files"));
}

TEST_CASE("a damaged index, or one that leads elsewhere, is refused", "[weights_files]") {
  CHECK(test::says(error_of_index(""), "JSON"));
  CHECK(test::says(error_of_index(R"({"weight_map":{"x":"a.safetensors")"), "JSON"));
  CHECK(test::says(error_of_index(R"({"weight_map":[]})"), "weight_map"));
  CHECK(test::says(error_of_index(R"({"metadata":{}})"), "weight_map"));
  CHECK(test::says(error_of_index(R"({"weight_map":{"x":1}})"), "file name"));
  CHECK(test::says(error_of_index(R"({"weight_map":{"x\n":"a.safetensors"}})"), "control characters"));
  CHECK(test::says(error_of_index(R"({"weight_map":{"x":"a.safetensors","x":"a.safetensors"}})"), "duplicate"));
  CHECK(test::says(error_of_index(R"({"weight_map":{"x":"b.safetensors"}})"), "b.safetensors: missing"));
  CHECK(test::says(error_of_index(R"({"weight_map":{"y":"a.safetensors"}})"), "tensor y is missing"));
  for (const char* shard : {"", ".", "..", "../a.safetensors", "/etc/passwd", "sub/a.safetensors", "a\\u0000b"}) {
    INFO(shard);
    CHECK(test::says(error_of_index(fmt::format(R"({{"weight_map":{{"x":"{}"}}}})", shard)), "without a folder"));
  }
}

TEST_CASE("a fingerprint follows names, shapes, dtypes and values, not the file format", "[weights_files]") {
  const TempDir folder;
  const auto print_of = [&](const std::string& name, const Tensor& tensor) {
    const auto path = folder / "a.safetensors";
    write_safetensors(path, {{name, tensor}}, {{"note", "none"}}, Existing::replace);
    return fingerprint(*open_checkpoint(path));
  };
  const std::string print = print_of("x", at::ones({2}));
  CHECK(print.size() == 16);
  CHECK(print == print_of("x", at::ones({2})));
  CHECK(print != print_of("y", at::ones({2})));
  CHECK(print != print_of("x", at::ones({1, 2})));
  CHECK(print != print_of("x", at::ones({2}).to(at::kInt)));
  CHECK(print != print_of("x", at::zeros({2})));
  write_text(folder / "a.pth", torch_file_with("x", 1));
  CHECK(print == fingerprint(*open_checkpoint(folder / "a.pth")));
}

TEST_CASE("a file whose matrices are all zeros, as before a download, is one warning", "[weights_files]") {
  const TempDir folder;
  const bool ahead = GENERATE(false, true);
  const auto warnings_of = [&](const Tensor& a, const Tensor& b) {
    write_safetensors(folder / "a.safetensors", {{"a", a}, {"b", b}, {"bias", at::zeros({5})}}, {}, Existing::replace);
    const auto source = open_checkpoint(folder / "a.safetensors");
    TensorRequests wanted;
    for (const auto& [name, info] : source->tensors()) wanted[name] = {at::kFloat, info.shape};
    const auto loader = ahead ? std::make_shared<WeightLoader>(*source, wanted, at::kCPU) : nullptr;
    const Weights weights(source, at::kCPU, at::kFloat, loader);
    for (const auto& [name, info] : wanted) weights.get(name, info.shape);
    const test::CollectWarnings warnings;
    weights.check_loaded();
    return warnings.lines();
  };
  const Tensor numbers = at::ones({3, 4}), opposite = at::tensor({1.0f, -1.0f}).expand({3, 2});
  CHECK(warnings_of(numbers, numbers).empty());
  if (!ahead) CHECK(warnings_of(numbers, opposite).empty());  // whose sum is zero
  const auto lines = warnings_of(numbers, at::zeros({3, 4}));
  REQUIRE(lines.size() == 1);
  CHECK(lines.front().find("a.safetensors: 1 of 3 tensors hold nothing but zeros, b is one") != std::string::npos);
  CHECK(warnings_of(at::zeros({3, 4}), at::zeros({3, 4})).front().find("2 of 3 tensors") != std::string::npos);
}

TEST_CASE("weights with NaN or infinite values are refused by name", "[weights_files]") {
  const TempDir folder;
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16);
  for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    Tensor tensor = at::ones({300, 70}, dtype);
    tensor[299][69] = value;
    write_safetensors(folder / "a.safetensors", {{"good", at::ones({2}, dtype)}, {"x", tensor}}, {}, Existing::replace);
    const Weights weights(open_checkpoint(folder / "a.safetensors"), at::kCPU, at::kBFloat16);
    CHECK(weights.get("good", {2}).numel() == 2);
    const Error error = error_of([&] { weights.get("x", {300, 70}); });
    CHECK(error.kind() == ErrorKind::model);
    CHECK(test::says(error, "tensor x: contains NaN or infinite values"));
  }
}

}  // namespace
}  // namespace faststar
