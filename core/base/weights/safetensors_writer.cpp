#include "core/base/weights/safetensors_writer.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/base/error.h"
#include "core/base/weights/safetensors_header.h"

namespace faststar {
namespace {

using nlohmann::json;
using Named = std::map<std::string, Tensor>::const_pointer;

/// Wide elements first, then by name: every tensor is then aligned to its element.
std::vector<Named> in_file_order(const std::map<std::string, Tensor>& tensors) {
  std::vector<Named> order;
  for (const auto& named : tensors) order.push_back(&named);
  std::stable_sort(order.begin(), order.end(),
                   [](Named a, Named b) { return a->second.element_size() > b->second.element_size(); });
  return order;
}

json entry_of(const Tensor& tensor, int64_t begin) {
  return {{"dtype", dtype_to_safetensors(tensor.scalar_type())},
          {"shape", tensor.sizes().vec()},
          {"data_offsets", {begin, begin + static_cast<int64_t>(tensor.nbytes())}}};
}

/// The length and the JSON, padded with spaces so that the data starts at a multiple of 8.
std::string header_of(const std::vector<Named>& order, const std::map<std::string, std::string>& metadata) {
  json header = json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t end = 0;
  for (const Named named : order) {
    header[named->first] = entry_of(named->second, end);
    end += static_cast<int64_t>(named->second.nbytes());
  }
  std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text;
}

void write_tensor(std::ostream& stream, const Tensor& tensor) {
  const Tensor dense = tensor.cpu().contiguous();
  stream.write(static_cast<const char*>(dense.const_data_ptr()), static_cast<std::streamsize>(dense.nbytes()));
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata, Existing existing) {
  const std::vector<Named> order = in_file_order(tensors);
  AtomicFile file(path, existing);
  std::ofstream stream(file.temporary(), std::ios::binary);
  const auto check = [&] {
    if (!stream) fail(ErrorKind::output, fmt::format("{}: cannot write: {}", path.string(), std::strerror(errno)));
  };
  check();
  stream << header_of(order, metadata);
  for (const Named named : order) {
    write_tensor(stream, named->second);
    check();
  }
  stream.close();
  check();
  file.commit();
}

}  // namespace faststar
