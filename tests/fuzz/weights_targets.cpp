#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "core/base/json.h"
#include "core/base/utf8.h"
#include "core/base/weights/file_bytes.h"
#include "core/base/weights/pickle.h"
#include "core/base/weights/safetensors.h"
#include "core/base/weights/torch_file.h"
#include "core/base/weights/weights.h"
#include "fuzz/target.h"

namespace faststar::fuzz {
namespace {

using namespace std::string_literals;

/// Every element of every tensor, as loading a model reads them.
void read_tensors(const TensorSource& source) {
  for (const auto& [name, info] : source.tensors()) {
    if (info.dtype == at::ScalarType::Undefined) continue;
    const Tensor tensor = source.read(name, info, at::kCPU);
    require(tensor.sizes() == at::IntArrayRef(info.shape), "a tensor has another shape than its file says");
    tensor.to(at::kDouble).sum();
  }
  fingerprint(source);
}

void read_pickle(std::string_view bytes) {
  size_t taken = 0;
  const Pickle pickle = parse_pickle(bytes, "data.pkl", &taken);
  require(taken <= bytes.size() && pickle.root_ref < pickle.values.size(), "a pickle reaches past its end");
  for (const PickleValue& value : pickle.values) torch_storage(pickle, value);
}

void read_torch_file(std::string_view bytes) { read_tensors(*open_torch_file(scratch_file("weights.pth", bytes))); }

void read_safetensors(std::string_view bytes) {
  const auto file = open_safetensors(scratch_file("weights.safetensors", bytes));
  for (const auto& [key, value] : file->metadata()) printable(key + value);
  read_tensors(*file);
}

std::string small_safetensors() {
  const auto path = scratch_name("sample.safetensors");
  write_safetensors(path, {{"x", at::arange(6).view({2, 3})}, {"y", at::ones({3}, at::kBool)}, {"z", at::rand({2})}},
                    {{"k", "v"}}, Existing::replace);
  return bytes_in(path);
}

void read_shard_index(std::string_view bytes) {
  static const auto shard = scratch_file("sharded/s.safetensors", small_safetensors());
  scratch_file("sharded/model.safetensors.index.json", bytes);
  read_tensors(*open_checkpoint(shard.parent_path()));
}

void read_json_object(std::string_view bytes) {
  const auto object = parse_json_object(std::string(bytes), "file");
  require(parse_json_object(json_text(object), "text") == object, "a JSON object is another after it was written");
  json_text(object, 2);
}

void read_json(std::string_view bytes) {
  const auto value = parse_json(bytes);
  if (value.is_discarded()) return;
  require(!parse_json(json_text(value)).is_discarded(), "JSON that was written cannot be read");
}

std::string state_dict() {
  const std::string tensor = test::pickled_tensor({.storage_elements = 6, .shape = {2, 3}, .strides = {1, 2}});
  const std::string half = test::pickled_tensor(
      {.storage_class = "HalfStorage", .key = "1", .storage_elements = 4, .offset = 2, .shape = {2}, .strides = {1}});
  return test::pickled_dict({{"vae", test::pickled_dict({{"x", tensor}, {"y", half}})}});
}

std::vector<std::string> pickles() {
  const std::string list = "\x80\x04](K\1K\2G\0\0\0\0\0\0\0\0e\x94h\0\x8c\1a\x94\x86."s;
  const std::string old = "(dp0\nVkey\np1\nI12\nsVa\np2\nL5L\nsg1\n.";
  return {"\x80\x02" + state_dict() + ".", list, old};
}

std::vector<std::string> zip_files() {
  const test::ZipEntries storages = {{"0", std::string(24, 'a')}, {"1", std::string(8, 'b')}};
  return {test::torch_bytes(state_dict(), storages), test::torch_bytes(state_dict(), storages, {.zip64 = true})};
}

std::vector<std::string> indices() {
  return {R"({"metadata":{"total_size":59},"weight_map":{"x":"s.safetensors","y":"s.safetensors"}})"};
}

std::vector<std::string> json_objects() {
  return {R"({"a": [1, -2, 3.5e-3, 1e300, true, null], "b": {"c": "d\u00e9\ud83d\ude00\n"}, "e": []})"};
}

std::vector<std::string> json_texts() {
  return {json_objects().front(), R"([{"prompt_en": "a cat", "dimension": ["color"]}, 18446744073709551615])",
          R"("text")"};
}

}  // namespace

std::vector<Target> weights_targets() {
  return {
      {"pickle", read_pickle, pickles},
      {"torch-zip", read_torch_file, zip_files},
      {"torch-legacy", read_torch_file, [] { return std::vector{test::legacy_torch_bytes()}; }},
      {"safetensors", read_safetensors, [] { return std::vector{small_safetensors()}; }},
      {"shard-index", read_shard_index, indices},
      {"json-object", read_json_object, json_objects},
      {"json", read_json, json_texts},
  };
}

}  // namespace faststar::fuzz
