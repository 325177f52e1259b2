#include "core/base/weights/torch_file.h"

#include <ATen/ATen.h>

#include "core/base/hash.h"
#include "core/base/weights/file_bytes.h"
#include "support/support.h"

namespace faststar {
namespace {

using namespace test;

std::shared_ptr<const TensorSource> open_bytes(const TempDir& folder, const std::string& content) {
  const auto path = folder / "file.pth";
  write_text(path, content);
  return open_torch_file(path);
}

Error error_of_torch_file(const std::string& content) {
  const TempDir folder;
  const Error error = error_of([&] { open_bytes(folder, content)->read("x", {}, at::kCPU); });
  CHECK(error.kind() == ErrorKind::model);
  CHECK(std::string(error.what()).find((folder / "file.pth").string()) != std::string::npos);
  return error;
}

Error error_of_pickle(const std::string& pickled) { return error_of_torch_file(torch_bytes(pickled, {})); }

const std::string kSixFloats = [] {
  std::string bytes;
  for (const float value : {0.f, 1.f, 2.f, 3.f, 4.f, 5.f}) bytes += bytes_of(value);
  return bytes;
}();

const PickledTensor kMatrix = {.storage_elements = 6, .shape = {2, 3}, .strides = {3, 1}};

/// A file whose dict holds one tensor "x".
std::string file_with(const PickledTensor& tensor, ZipStyle style = {}) {
  return torch_bytes(pickled_dict({{"x", pickled_tensor(tensor)}}), {{"0", kSixFloats}}, style);
}

Tensor matrix() { return at::arange(6, at::kFloat).view({2, 3}); }

TEST_CASE("a file of torch.save reads bit by bit", "[weights_files]") {
  const auto vae = open_torch_file(golden_dir() / "vae_weights.pth");
  CHECK(vae->tensors().size() == 301);
  const auto hash = [&](const char* name) {
    const Tensor tensor = vae->read(name, {}, at::kCPU);
    return fnv1a({static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()});
  };
  // Hashes of the data bytes, made in PyTorch from the same file.
  CHECK(hash("scale_learnable_parameters") == 0x3b536d2bf2fc94c);
  CHECK(hash("encoder.conv_in.conv.weight") == 0x37f4d3108cd1b9bb);
  CHECK(hash("decoder.conv_out.conv.bias") == 0x855b1d33b59bb637);
  CHECK(hash("quantizer.lfq_detail.mask") == 0x24d6c298b8bf312d);
  CHECK(vae->tensors().at("quantizer.lfq_detail.mask").dtype == at::kLong);
  CHECK(vae->tensors().at("encoder.conv_in.conv.weight").shape == std::vector<int64_t>{8, 3, 3, 3, 3});
}

TEST_CASE("plain and zip64 directories read the same", "[weights_files]") {
  const TempDir folder;
  const bool zip64 = GENERATE(false, true);
  CHECK(same(open_bytes(folder, file_with(kMatrix, {.zip64 = zip64}))->read("x", {}, at::kCPU), matrix()));
}

TEST_CASE("strides, offsets and shared storages are followed", "[weights_files]") {
  const TempDir folder;
  PickledTensor transposed = kMatrix;
  transposed.shape = {3, 2};
  transposed.strides = {1, 3};
  PickledTensor row = kMatrix;
  row.offset = 3;
  row.shape = {3};
  row.strides = {1};
  PickledTensor bytes = {
      .storage_class = "ByteStorage", .key = "1", .storage_elements = 2, .shape = {2}, .strides = {1}};
  const auto file = open_bytes(folder, torch_bytes(pickled_dict({{"transposed", pickled_tensor(transposed)},
                                                                 {"row", pickled_tensor(row)},
                                                                 {"bytes", pickled_tensor(bytes)}}),
                                                   {{"0", kSixFloats}, {"1", "ab"}}));
  CHECK(same(file->read("transposed", {}, at::kCPU), matrix().t()));
  CHECK(same(file->read("row", {}, at::kCPU), matrix()[1]));
  CHECK(same(file->read("bytes", {}, at::kCPU), at::tensor({'a', 'b'}, at::kByte)));
}

TEST_CASE("the state dict is found where training scripts put it", "[weights_files]") {
  const TempDir folder;
  const std::string dict = pickled_dict({{"x", pickled_tensor(kMatrix)}});
  const std::string ordered = pickled_global("collections", "OrderedDict") + ")R(" + pickled_text("x") +
                              pickled_tensor(kMatrix) + "u}" + pickled_text("_metadata") + "}sb";
  const std::string parameter = pickled_global("torch._utils", "_rebuild_parameter") + "(" + pickled_tensor(kMatrix) +
                                "\x88" + pickled_global("collections", "OrderedDict") + ")RtR";
  const std::vector<std::string> roots = {dict,
                                          ordered,
                                          pickled_dict({{"x", parameter}}),
                                          pickled_dict({{"vae", dict}, {"ema", "}"}}),
                                          pickled_dict({{"ema", dict}, {"vae", ordered}}),
                                          pickled_dict({{"trainer", pickled_dict({{"gpt_fsdp", dict}})}}),
                                          pickled_dict({{"state_dict", ordered}, {"epoch", "K\7"}}),
                                          pickled_dict({{"model", dict}})};
  for (size_t i = 0; i < roots.size(); ++i) {
    INFO(i);
    const auto file = open_bytes(folder, torch_bytes(roots[i], {{"0", kSixFloats}}));
    CHECK(file->tensors().size() == 1);
    CHECK(same(file->read("x", {}, at::kCPU), matrix()));
  }
}

TEST_CASE("foreign objects beside the weights are inert", "[weights_files]") {
  const TempDir folder;
  const auto trap = folder / "trap";
  const std::string command = "(" + pickled_text("touch " + trap.string()) + "tR";
  const std::string space_of_args =
      pickled_global("argparse", "Namespace") + ")\x81}" + pickled_text("lr") + "G" + std::string(8, '\0') + "sb";
  const std::string list_like = pickled_global("torch.nn", "ModuleList") + ")R(K\1K\2e";
  const std::string huge_integer = "\x8a\x09" + std::string(9, '\x7f');
  const auto file = open_bytes(
      folder, torch_bytes(pickled_dict({{"vae", pickled_dict({{"x", pickled_tensor(kMatrix)},
                                                              {"y", pickled_global("os", "system") + command}})},
                                        {"args", space_of_args},
                                        {"list", list_like},
                                        {"big", huge_integer},
                                        {"run", pickled_global("posix", "system") + command}}),
                          {{"0", kSixFloats}}));
  CHECK(same(file->read("x", {}, at::kCPU), matrix()));
  CHECK_FALSE(file->tensors().contains("y"));
  CHECK(error_of([&] { file->read("y", {}, at::kCPU); }).kind() == ErrorKind::model);
  CHECK_FALSE(std::filesystem::exists(trap));
}

TEST_CASE("newer pickle protocols read", "[weights_files]") {
  const TempDir folder;
  const auto short_text = [](const std::string& text) {
    return "\x8c" + std::string(1, static_cast<char>(text.size())) + text + "\x94";
  };
  const std::string root = "\x95" + bytes_of<uint64_t>(999) + "}\x94(" + short_text("x") + short_text("torch._utils") +
                           short_text("_rebuild_tensor_v2") + "\x93\x94" + "((" + short_text("storage") +
                           short_text("torch") + short_text("FloatStorage") + "\x93\x94" + short_text("0") +
                           short_text("cpu") + "K\6tQK" + std::string(1, '\0') + "K\2K\3\x86K\3K\1\x86\x89Nt\x94R\x94u";
  CHECK(same(open_bytes(folder, torch_bytes(root, {{"0", kSixFloats}}))->read("x", {}, at::kCPU), matrix()));
}

TEST_CASE("a tensor that leaves its storage is refused", "[weights_files]") {
  PickledTensor tensor = kMatrix;
  const auto case_number = GENERATE(range(0, 9));
  switch (case_number) {
    case 0: tensor.offset = 1; break;
    case 1: tensor.offset = -1; break;
    case 2: tensor.shape = {2, 4}; break;
    case 3: tensor.shape = {-2, 3}; break;
    case 4: tensor.strides = {3}; break;
    case 5: tensor.strides = {-3, 1}; break;
    case 6: tensor.storage_elements = 7; break;
    case 7: tensor.storage_class = "DoubleStorage"; break;
    default: tensor.shape = {2000000000, 2000000000}; tensor.strides = {0, 0};
  }
  INFO(case_number);
  CHECK(test::says(error_of_torch_file(file_with(tensor)), "tensor x: shape"));
}

TEST_CASE("a torch storage that we do not know is an error only when it is read", "[weights_files]") {
  PickledTensor tensor = kMatrix;
  tensor.storage_class = "ComplexFloatStorage";
  CHECK(test::says(error_of_torch_file(file_with(tensor)), "torch.ComplexFloatStorage is not supported"));
}

TEST_CASE("damaged and foreign pickles are one clear error", "[weights_files]") {
  CHECK(test::says(error_of_pickle(""), "stack is empty"));
  CHECK(test::says(error_of_pickle("}(K\1"), "expected tensors by name"));  // the mark stays open
  CHECK(test::says(error_of_pickle("\xff"), "opcode 0xff"));
  CHECK(test::says(error_of_pickle("\x82\1"), "opcode 0x82"));  // the extension registry
  CHECK(test::says(error_of_pickle("\x80\x09}"), "protocol 9"));
  CHECK(test::says(error_of_pickle("e"), "no mark"));
  CHECK(test::says(error_of_pickle("\x87"), "stack is empty"));
  CHECK(test::says(error_of_pickle("(\x85"), "stack is empty"));  // not through the mark
  CHECK(test::says(error_of_pickle("h\7"), "memo 7"));
  CHECK(test::says(error_of_pickle("K\1K\2a"), "not a list"));
  CHECK(test::says(error_of_pickle("K\1K\2K\3s"), "not a dict"));
  CHECK(test::says(error_of_pickle("}(K\1u"), "without a value"));
  CHECK(test::says(error_of_pickle("I12x\n"), "decimal"));
  CHECK(test::says(error_of_pickle("K\1K\2\x93"), "not a string"));
  CHECK(test::says(error_of_pickle("X\xff\xff\xff\xff"), "cut short"));
  CHECK(test::says(error_of_pickle("\x8e" + std::string(8, '\xff')), "cut short"));
  CHECK(test::says(error_of_pickle("cos\nsystem"), "cut short"));
  CHECK(test::says(error_of_pickle("K\1"), "expected tensors by name"));
  CHECK(test::says(error_of_pickle("}"), "expected tensors by name"));
  const std::string name = "x\n\x1b[2J";
  CHECK(test::says(error_of_pickle(pickled_dict({{name, pickled_tensor(kMatrix)}})), "control characters"));
}

TEST_CASE("pickles made to exhaust memory or stack end in an error", "[weights_files]") {
  const std::string many(2'100'000, ' ');
  const auto repeated = [&](const char* opcode) {
    std::string pickled;
    for (size_t i = 0; i < many.size(); ++i) pickled += opcode;
    return pickled;
  };
  CHECK(test::says(error_of_pickle(")" + repeated("\x85")), "more than"));       // nested tuples
  CHECK(test::says(error_of_pickle(repeated("(")), "too many marks"));           //
  CHECK(test::says(error_of_pickle("N" + repeated("2")), "stack is too deep"));  // copies of the top
  CHECK(test::says(error_of_pickle("N" + repeated("\x94")), "memos"));           // of one value
  CHECK(test::says(error_of_pickle("]q\1h\1a"), "expected tensors by name"));    // a list inside itself
  CHECK(test::says(error_of_pickle("}r\xff\xff\xff\xff"), "expected tensors"));  // a memo index of 4 billion
  const std::string name = pickled_text(std::string(100'000, 'a'));
  CHECK(test::says(error_of_pickle(name + "q\1h\1\x93"), "name of a class is too long"));
}

TEST_CASE("the formats that we do not read are named", "[weights_files]") {
  CHECK(test::says(error_of_torch_file(file_with(kMatrix, {.method = 8})), "compressed"));
  CHECK(test::says(error_of_torch_file(zip_bytes({{"a/data.pkl", "}."}, {"a/byteorder", "big"}})), "little-endian"));
  CHECK(test::says(error_of_torch_file(zip_bytes({{"a.txt", "hello"}})), "not one that torch.save wrote"));
  CHECK(test::says(error_of_torch_file("hello"), "not a torch.save file"));
  CHECK(test::says(error_of_torch_file(""), "not a torch.save file"));
}

TEST_CASE("absurd zip directories are refused", "[weights_files]") {
  const std::string good = file_with(kMatrix);
  const auto with = [&](size_t from_end, const std::string& bytes) {
    std::string content = good;
    content.replace(content.size() - from_end, bytes.size(), bytes);
    return error_of_torch_file(content);
  };
  CHECK(test::says(with(22, "XX"), "directory"));
  CHECK(test::says(with(12, bytes_of<uint16_t>(60000)), "60000 entries"));
  CHECK(test::says(with(10, bytes_of<uint32_t>(0x7fffffff)), "entries in a directory of"));
  CHECK(test::says(with(6, bytes_of<uint32_t>(0x7fffffff)), "cut short"));
  CHECK(test::says(with(6, bytes_of<uint32_t>(0xffffffff)), "zip64 locator"));
  CHECK(test::says(error_of_torch_file(torch_bytes(pickled_dict({{"x", pickled_tensor(kMatrix)}}), {})),
                   "data/0 is missing"));
  CHECK(test::says(error_of_torch_file(zip_bytes({{"a/data.pkl", "}."}, {"a/data.pkl", "}."}})), "duplicate"));
}

}  // namespace
}  // namespace faststar
