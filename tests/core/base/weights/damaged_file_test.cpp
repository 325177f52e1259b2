// Whatever happens to a model file on its way, opening and reading it works or ends in one Error.
#include <ATen/ATen.h>

#include <random>

#include "core/base/weights/file_bytes.h"
#include "core/base/weights/safetensors.h"
#include "core/base/weights/weights.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::TempDir;

/// One checkpoint: the path to open, and the file that gets damaged.
struct Sample {
  std::filesystem::path checkpoint;
  std::filesystem::path file;
};

std::string small_torch_file(test::ZipStyle style) {
  const std::string tensor = test::pickled_tensor({.storage_elements = 6, .shape = {2, 3}, .strides = {1, 2}});
  const std::string half = test::pickled_tensor(
      {.storage_class = "HalfStorage", .key = "1", .storage_elements = 4, .offset = 2, .shape = {2}, .strides = {1}});
  return test::torch_bytes(test::pickled_dict({{"vae", test::pickled_dict({{"x", tensor}, {"y", half}})}}),
                           {{"0", std::string(24, 'a')}, {"1", std::string(8, 'b')}}, style);
}

std::vector<Sample> write_samples(const TempDir& folder) {
  const auto write_plain = [](const std::filesystem::path& path) {
    write_safetensors(path, {{"x", at::arange(6).view({2, 3})}, {"y", at::ones({3}, at::kBool)}}, {{"k", "v"}},
                      Existing::refuse);
  };
  write_plain(folder / "a.safetensors");
  test::write_text(folder / "a.pth", small_torch_file({}));
  test::write_text(folder / "b.pth", small_torch_file({.zip64 = true}));
  test::write_text(folder / "old.pth", test::legacy_torch_bytes());
  std::filesystem::create_directory(folder / "sharded");
  write_plain(folder / "sharded" / "s.safetensors");
  const auto index = folder / "sharded" / "model.safetensors.index.json";
  test::write_text(index, R"({"metadata":{"total_size":51},"weight_map":{"x":"s.safetensors","y":"s.safetensors"}})");
  return {{folder / "a.safetensors", folder / "a.safetensors"},
          {folder / "a.pth", folder / "a.pth"},
          {folder / "b.pth", folder / "b.pth"},
          {folder / "old.pth", folder / "old.pth"},
          {folder / "sharded", index}};
}

/// True when it loads, false when it ends in an Error of kind model with a message of one line.
bool loads(const std::filesystem::path& checkpoint) {
  try {
    const auto source = open_checkpoint(checkpoint);
    for (const auto& [name, info] : source->tensors()) {
      if (info.dtype == at::ScalarType::Undefined) continue;
      const Tensor tensor = source->read(name, info, at::kCPU);
      REQUIRE(tensor.sizes() == at::IntArrayRef(info.shape));
      tensor.to(at::kDouble).sum();  // touches every element
    }
    return true;
  } catch (const Error& error) {
    REQUIRE(error.kind() == ErrorKind::model);
    REQUIRE(std::string(error.what()).find("cannot read: ") == std::string::npos);
    return false;
  }
}

TEST_CASE("a checkpoint cut short anywhere is one error", "[weights_files]") {
  const TempDir folder;
  for (const auto& [checkpoint, file] : write_samples(folder)) {
    INFO(file);
    const std::string whole = test::read_text(file);
    REQUIRE(loads(checkpoint));
    for (size_t length = 0; length < whole.size(); ++length) {
      test::write_text(file, whole.substr(0, length));
      INFO(length);
      REQUIRE_FALSE(loads(checkpoint));
    }
  }
}

TEST_CASE("a checkpoint with changed bytes loads or is one error", "[weights_files]") {
  const TempDir folder;
  std::mt19937 random(20240607);
  int refused = 0;
  for (const auto& [checkpoint, file] : write_samples(folder)) {
    INFO(file);
    const std::string whole = test::read_text(file);
    for (int mutation = 0; mutation < 400; ++mutation) {
      std::string changed = whole;
      const size_t position = random() % changed.size();
      const char byte =
          mutation % 2 == 0 ? static_cast<char>(random()) : static_cast<char>(changed[position] ^ (1 << random() % 8));
      changed[position] = byte;
      if (mutation % 4 == 3) changed[random() % changed.size()] = '\xff';
      INFO("byte " << position << " = " << int{byte});
      test::write_text(file, changed);
      refused += !loads(checkpoint);
    }
  }
  CHECK(refused > 400);
}

}  // namespace
}  // namespace faststar
