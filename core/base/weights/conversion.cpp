#include "core/base/weights/conversion.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/utf8.h"

namespace faststar {
namespace {

using nlohmann::json;

const char* const kConversionKey = "faststar_model";
constexpr int kConversionFormat = 1;
constexpr int64_t kPage = 4096;  // what direct reads want
constexpr int64_t kLine = 64;
/// Of fused layers, and of parts of each: every tensor is compared with them.
constexpr size_t kMostFused = 16;
/// Bytes between tensors have a name: readers of the format accept no holes.
const char* const kGapName = "faststar_padding.";

[[noreturn]] void fail_notes(const std::string& origin, const std::string& what) {
  fail(ErrorKind::model, fmt::format("{}: {} in its header: {}", origin, kConversionKey, what),
       "convert the source again with faststar convert");
}

std::string notes_of(const Conversion& conversion) {
  json fused = json::array();
  for (const FusedLayers& layers : conversion.fused) fused.push_back({{"name", layers.name}, {"parts", layers.parts}});
  const json source = {
      {"path", conversion.source}, {"files", conversion.files}, {"fingerprint", conversion.fingerprint}};
  return json_text(
      json{{"format", kConversionFormat}, {"precision", conversion.precision}, {"source", source}, {"fused", fused}});
}

Conversion read_notes(const std::string& text, const std::string& origin) {
  const json notes = parse_json_object(text, origin);
  try {
    if (const int format = notes.at("format").get<int>(); format != kConversionFormat) {
      fail(ErrorKind::model,
           fmt::format("{}: a converted model of format {}, this version of faststar reads {}", origin, format,
                       kConversionFormat),
           "convert the source again with this version");
    }
    Conversion conversion{.precision = notes.at("precision").get<std::string>(),
                          .source = notes.at("source").at("path").get<std::string>(),
                          .files = notes.at("source").at("files").get<std::map<std::string, int64_t>>(),
                          .fingerprint = notes.at("source").at("fingerprint").get<std::string>()};
    if (notes.at("fused").size() > kMostFused) fail_notes(origin, "too many fused layers");
    for (const json& layers : notes.at("fused")) {
      conversion.fused.push_back({layers.at("name").get<std::string>(),
                                  layers.at("parts").get<std::vector<std::pair<std::string, int64_t>>>()});
      if (conversion.fused.back().parts.size() > kMostFused) fail_notes(origin, "too many parts of a fused layer");
      for (const auto& [part, rows] : conversion.fused.back().parts) check_tensor_name(part, origin);
    }
    return conversion;
  } catch (const json::exception& error) {
    fail_notes(origin, error.what());
  }
}

/// The tensors of a converted file.
class ConvertedTensors final : public StoredTensors {
 public:
  ConvertedTensors(std::string origin, Conversion conversion)
      : StoredTensors(std::move(origin)), conversion_(std::move(conversion)) {}
  const Conversion* conversion() const override { return &conversion_; }

 private:
  Conversion conversion_;
};

void check_rows(const std::shared_ptr<const Safetensors>& file, const std::string& name, const FusedLayers& layers) {
  const TensorInfo& info = file->tensors().at(name);
  int64_t left = info.shape.empty() ? -1 : info.shape.front();
  for (const auto& [part, rows] : layers.parts) left = rows < 0 || rows > left ? -1 : left - rows;
  if (left == 0) return;
  fail_notes(file->origin(),
             fmt::format("tensor {}: {} does not have the rows of its parts", name, shape_text(info.shape)));
}

void add_parts(StoredTensors& tensors, const std::shared_ptr<const Safetensors>& file, const std::string& name,
               const FusedLayers& layers, const std::pair<std::string, std::string>& around) {
  check_rows(file, name, layers);
  const TensorInfo& fused = file->tensors().at(name);
  const FilePlace place = file->place(name);
  const int64_t row_bytes = fused.shape.front() == 0 ? 0 : bytes_of(fused) / fused.shape.front();
  int64_t begin = 0;
  for (const auto& [part, rows] : layers.parts) {
    TensorInfo info = fused;
    info.shape.front() = rows;
    tensors.add(
        around.first + part + around.second, info,
        [file, name, begin, rows = rows] { return file->read(name, {}, at::kCPU).narrow(0, begin, rows); },
        place.file ? FilePlace{place.file, place.offset + begin * row_bytes} : FilePlace());
    begin += rows;
  }
}

int64_t rounded_up_to(int64_t bytes, int64_t unit) { return (bytes + unit - 1) / unit * unit; }

/// The largest of the two alignments that a tensor leaves to the one behind it; 1 for neither.
int64_t kept_alignment(const TensorToWrite& tensor) {
  for (const int64_t alignment : {kPage, kLine}) {
    if (bytes_of(tensor.info) % alignment == 0) return alignment;
  }
  return 1;
}

/// In the order of the file, with padding between.
std::vector<TensorToWrite> with_gaps(std::vector<TensorToWrite> tensors) {
  std::ranges::stable_sort(tensors, std::greater(), kept_alignment);
  std::vector<TensorToWrite> padded;
  int64_t end = 0;
  for (TensorToWrite& tensor : tensors) {
    if (const int64_t gap = rounded_up_to(end, kLine) - end; gap > 0) {
      padded.push_back({fmt::format("{}{}", kGapName, padded.size()), {at::kByte, {gap}}, [gap] {
                          return at::zeros({gap}, at::TensorOptions(at::kByte));
                        }});
      end += gap;
    }
    end += bytes_of(tensor.info);
    padded.push_back(std::move(tensor));
  }
  return padded;
}

}  // namespace

std::shared_ptr<const TensorSource> with_fused_parts(const std::shared_ptr<const Safetensors>& file) {
  const auto notes = file->metadata().find(kConversionKey);
  if (notes == file->metadata().end()) return file;
  const auto tensors = std::make_shared<ConvertedTensors>(file->origin(), read_notes(notes->second, file->origin()));
  for (const auto& [name, info] : file->tensors()) {
    if (name.starts_with(kGapName)) continue;
    bool fused = false;
    for (const FusedLayers& layers : tensors->conversion()->fused) {
      const auto around = around_layer(name, layers.name);
      if (!around || fused) continue;
      add_parts(*tensors, file, name, layers, *around);
      fused = true;
    }
    if (fused) continue;
    tensors->add(
        name, info, [file, name = name] { return file->read(name, {}, at::kCPU); }, file->place(name));
  }
  return tensors;
}

int64_t write_converted(const std::filesystem::path& path, std::vector<TensorToWrite> tensors,
                        const Conversion& conversion, const std::function<void(int64_t bytes)>& on_written) {
  return write_safetensors_in_order(path, with_gaps(std::move(tensors)), {{kConversionKey, notes_of(conversion)}},
                                    Existing::refuse, kPage, on_written);
}

}  // namespace faststar
