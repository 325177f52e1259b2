
#include <ATen/ATen.h>

#include "core/base/weights/file_bytes.h"
#include "core/base/weights/torch_file.h"
#include "support/support.h"

namespace faststar {
namespace {

using namespace test;

std::shared_ptr<const TensorSource> open_archive(const TempDir& folder, const std::string& content) {
  write_text(folder / "old.pth", content);
  return open_torch_file(folder / "old.pth");
}

std::string refusal(const std::string& content) {
  const TempDir folder;
  const Error error = error_of([&] { open_archive(folder, content); });
  CHECK(error.kind() == ErrorKind::model);
  return error.what();
}

TEST_CASE("a file of torch.save before 1.6 reads bit by bit, views of one storage included", "[weights_files]") {
  const TempDir folder;
  const auto file = open_archive(folder, legacy_torch_bytes());
  const Tensor base = at::arange(6, at::kFloat).view({2, 3});
  CHECK(file->tensors().size() == 3);
  CHECK(same(file->read("a.weight", {}, at::kCPU), base));
  CHECK(same(file->read("a.view", {}, at::kCPU), base.t().slice(0, 1)));
  CHECK(same(file->read("b", {}, at::kCPU), at::tensor({1.5F, -2.F}).to(at::kHalf)));
}

std::string repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

// The package lpips ships its heads so: OrderedDict called with [["x", tensor]].
TEST_CASE("ordered dicts as Python 2 wrote them are read", "[weights_files]") {
  const TempDir folder;
  const std::string tensor = pickled_tensor({.storage_elements = 2, .shape = {2}, .strides = {1}});
  const std::string pairs = "](](" + pickled_text("x") + tensor + "ee";
  const std::string dict = pickled_global("collections", "OrderedDict") + pairs + "\x85R";
  const auto file = open_archive(folder, torch_bytes(dict, {{"0", bytes_of(1.5F) + bytes_of(-2.F)}}));
  CHECK(same(file->read("x", {}, at::kCPU), at::tensor({1.5F, -2.F})));
}

TEST_CASE("a list that many calls make dicts of exhausts no memory", "[weights_files]") {
  const std::string list = "](K\1K\1eq\1](" + repeated("h\1", 3000) + "e\x85q\2";
  const std::string calls = pickled_global("collections", "OrderedDict") + "q\3" + repeated("h\3h\2R", 1000);
  CHECK(refusal(torch_bytes(list + calls, {})).find("pairs in calls") != std::string::npos);
}

TEST_CASE("an old file whose numbers are wrong is refused", "[weights_files]") {
  const std::string whole = legacy_torch_bytes();
  std::string huge = whole;
  huge.replace(whole.size() - 32, 8, bytes_of<int64_t>(int64_t{1} << 62));  // elements of the last storage
  CHECK(refusal(huge).find("4611686018427387904 elements reach past the end of the file") != std::string::npos);
  std::string big_endian = whole;
  const std::string little = pickled_text("little_endian");
  const size_t place = whole.find(little) + little.size() + 2;  // behind the memo of the key
  REQUIRE(big_endian[place] == '\x88');                         // True
  big_endian[place] = '\x89';
  CHECK(refusal(big_endian).find("expected little-endian data") != std::string::npos);
}

}  // namespace
}  // namespace faststar
