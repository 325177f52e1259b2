#include "core/base/weights/conversion.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "core/base/weights/weight_loader.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::TempDir;

const Conversion kConversion = {.precision = "bf16",
                                .source = "/models/star",
                                .files = {{"a.safetensors", 1234}},
                                .fingerprint = "0123456789abcdef",
                                .fused = {{"qk_proj", {{"q_proj", 3}, {"k_proj", 2}}}}};

TensorToWrite to_write(const std::string& name, const Tensor& tensor) {
  return {name, {tensor.scalar_type(), tensor.sizes().vec()}, [tensor] { return tensor; }};
}

/// The header of a safetensors file, and where its data begin.
std::pair<nlohmann::json, uint64_t> header_of(const std::filesystem::path& path) {
  const std::string bytes = test::read_text(path);
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  return {nlohmann::json::parse(bytes.substr(8, length)), 8 + length};
}

/// The file of one tensor with these notes in place of its own.
void write_with_notes(const std::filesystem::path& path, const std::string& name, const std::string& notes) {
  write_safetensors(path, {{name, at::ones({5, 4})}}, {{"faststar_model", notes}}, Existing::replace);
}

}  // namespace

TEST_CASE("a converted file begins its tensors where direct reads want them, and has no holes", "[weights_files]") {
  const TempDir folder;
  std::vector<TensorToWrite> tensors = {to_write("a.bias", at::ones({3})), to_write("b.norm", at::ones({16})),
                                        to_write("c.bias", at::ones({7})), to_write("d.weight", at::ones({32, 64}))};
  const int64_t size = write_converted(folder / "a.safetensors", tensors, kConversion, {});
  CHECK(size == static_cast<int64_t>(std::filesystem::file_size(folder / "a.safetensors")));
  const auto [header, data] = header_of(folder / "a.safetensors");
  CHECK(data % 4096 == 0);
  std::map<int64_t, int64_t> ranges;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const int64_t begin = entry["data_offsets"][0];
    ranges[begin] = entry["data_offsets"][1];
    if (!name.starts_with("faststar_padding")) CHECK(begin % 64 == 0);
  }
  CHECK(header["d.weight"]["data_offsets"][0] == 0);
  int64_t end = 0;
  for (const auto& [begin, to] : ranges) {
    CHECK(begin == end);
    end = to;
  }
  const auto source = open_checkpoint(folder / "a.safetensors");
  CHECK(source->tensors().size() == 4);
  for (const TensorToWrite& tensor : tensors) {
    CHECK(test::same(source->read(tensor.name, {}, at::kCPU), tensor.make()));
  }
}

TEST_CASE("parts of fused tensors have their own names again", "[weights_files]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const TempDir folder;
  const Tensor weight = test::seeded_randn({5, 4}, 1), bias = test::seeded_randn({5}, 2);
  write_converted(folder / "a.safetensors",
                  {to_write("l.0.qk_proj.weight", weight), to_write("l.0.qk_proj.bias", bias),
                   to_write("l.0.o_proj.weight", weight)},
                  kConversion, {});
  const auto source = open_checkpoint(folder / "a.safetensors");
  CHECK(source->tensors().size() == 5);
  REQUIRE(source->conversion());
  CHECK(source->conversion()->source == "/models/star");
  CHECK(fingerprint(*source) == "0123456789abcdef");
  const TensorRequests requests = {{"l.0.q_proj.weight", {at::kFloat, {3, 4}}},
                                   {"l.0.k_proj.weight", {at::kFloat, {2, 4}}},
                                   {"l.0.k_proj.bias", {at::kFloat, {2}}}};
  for (const bool at_once : {false, true}) {
    const auto loader = at_once ? std::make_shared<WeightLoader>(*source, requests, device) : nullptr;
    const Weights weights(source, device, at::kFloat, loader);
    CHECK(test::same(weights.get("l.0.q_proj.weight", {3, 4}).cpu(), weight.narrow(0, 0, 3)));
    CHECK(test::same(weights.get("l.0.k_proj.weight", {2, 4}).cpu(), weight.narrow(0, 3, 2)));
    CHECK(test::same(weights.get("l.0.k_proj.bias", {2}).cpu(), bias.narrow(0, 3, 2)));
  }
}

TEST_CASE("a matrix in 8 bits is read as it is, or times its scales", "[weights_files]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const TempDir folder;
  const Tensor values = at::tensor({1.0, -2.0, 0.5, 448.0, 0.0, 1.5}).view({3, 2}).to(at::kFloat8_e4m3fn);
  const Tensor scales = at::tensor({0.5F, 2.0F, 1.0F});
  write_converted(folder / "a.safetensors", {to_write("a.weight", values), to_write(scale_name("a.weight"), scales)},
                  kConversion, {});
  const auto source = open_checkpoint(folder / "a.safetensors");
  const Tensor expected = at::tensor({0.5F, -1.0F, 1.0F, 896.0F, 0.0F, 1.5F}).view({3, 2});
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kFloat8_e4m3fn}) {
    const TensorRequests requests = {{"a.weight", {dtype, {3, 2}}}};
    const Weights weights(source, device, dtype, std::make_shared<WeightLoader>(*source, requests, device));
    const Tensor weight = weights.get("a.weight", {3, 2});
    weights.check_loaded();
    const bool as_stored = dtype == at::kFloat8_e4m3fn;
    CHECK(weight.dtype() == dtype);
    CHECK(test::same(weight.to(at::kFloat).cpu(), as_stored ? values.to(at::kFloat) : expected));
  }
}

TEST_CASE("notes of a converted file that are damaged or newer are refused", "[weights_files]") {
  const TempDir folder;
  const auto error_of_notes = [&](const std::string& notes) {
    write_with_notes(folder / "a.safetensors", "l.qk_proj.weight", notes);
    const Error error = test::error_of([&] { open_checkpoint(folder / "a.safetensors"); });
    CHECK(error.kind() == ErrorKind::model);
    CHECK_FALSE(error.hint().empty());
    return error;
  };
  const auto notes = [](int format, const std::string& fused) {
    return fmt::format(
        R"({{"format":{},"precision":"bf16","source":{{"path":"/m","files":{{}},"fingerprint":"f"}},"fused":{}}})",
        format, fused);
  };
  CHECK(test::says(error_of_notes(notes(2, "[]")), "a converted model of format 2, this version of faststar reads 1"));
  for (const char* rows : {"4", "6", "-1", "9223372036854775807"}) {
    const std::string parts = fmt::format(R"([{{"name":"qk_proj","parts":[["q_proj",{}],["k_proj",1]]}}])", rows);
    if (std::string(rows) == "4") {
      write_with_notes(folder / "a.safetensors", "l.qk_proj.weight", notes(1, parts));
      CHECK(open_checkpoint(folder / "a.safetensors")->tensors().size() == 2);
    } else {
      CHECK(test::says(error_of_notes(notes(1, parts)), "[5, 4] does not have the rows of its parts"));
    }
  }
  CHECK(test::says(error_of_notes("{}"), "faststar_model in its header"));
  CHECK(test::says(error_of_notes("[]"), "expected a JSON object"));
  CHECK(test::says(error_of_notes(R"({"format":"1"})"), "faststar_model in its header"));
}

}  // namespace faststar
