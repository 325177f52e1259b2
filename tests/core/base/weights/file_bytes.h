#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Model files built byte by byte, right or wrong on purpose.
namespace faststar::test {

/// The little-endian bytes of a number.
template <typename Number>
std::string bytes_of(Number number) {
  return std::string(reinterpret_cast<const char*>(&number), sizeof number);
}

/// A safetensors file with this header, whatever it says.
std::string safetensors_bytes(std::string_view header, std::string_view data);

using ZipEntries = std::vector<std::pair<std::string, std::string>>;
struct ZipStyle {
  bool zip64 = false;
  uint16_t method = 0;  ///< 0 stored; 8 claims deflate
};
std::string zip_bytes(const ZipEntries& entries, ZipStyle style = {});

// Pieces of a protocol 2 pickle, without its start and end.
std::string pickled_text(std::string_view text);
std::string pickled_integer(int32_t integer);
std::string pickled_integers(const std::vector<int32_t>& integers);
std::string pickled_global(std::string_view module, std::string_view name);
/// Keys and values, pickled already.
std::string pickled_dict(const std::vector<std::pair<std::string, std::string>>& entries);

struct PickledTensor {
  std::string storage_class = "FloatStorage";
  std::string key = "0";
  int32_t storage_elements = 0;
  int32_t offset = 0;
  std::vector<int32_t> shape;
  std::vector<int32_t> strides;
};
std::string pickled_tensor(const PickledTensor& tensor);

/// A file of torch.save around a pickled value; storages by key.
std::string torch_bytes(const std::string& pickled, const ZipEntries& storages, ZipStyle style = {});

/// A file that torch.save wrote in the format before 1.6: float32 "a.weight" [2, 3] of 0 to 5, "a.view" [2, 2] of its
/// transpose without the first row, float16 "b" of 1.5 and -2.
std::string legacy_torch_bytes();

}  // namespace faststar::test
