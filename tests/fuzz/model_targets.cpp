#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/json.h"
#include "core/base/sentencepiece.h"
#include "core/base/weights/file_bytes.h"
#include "core/config/preset.h"
#include "core/lab/world/piece_list.h"
#include "core/pipeline/pipeline.h"
#include "fuzz/target.h"

namespace faststar::fuzz {
namespace {

using nlohmann::json;

void read_vocabulary(std::string_view bytes) {
  const Tokenizer tokenizer(scratch_file("spiece.model", bytes));
  for (const std::string_view text :
       {"a cat A", "A red ball \xef\xbc\xa1\xe2\x91\xa0 \xc3\xa9\xcc\x81", "\xff\x01\x7f\xf4 ", ""}) {
    require(tokenizer.encode(text, 8).ids.size() <= 8, "a text has more tokens than its limit");
  }
}

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

/// A field of bytes of a protobuf message.
std::string field(uint32_t number, const std::string& payload) {
  return varint(number << 3 | 2) + varint(payload.size()) + payload;
}

/// A character map that turns "A" into "a": a trie of three units, and the text.
std::string small_character_map() {
  constexpr size_t kUnits = 768, kChildren = 256, kLeaf = 512;
  std::vector<uint32_t> units(kUnits);
  const auto to = [](size_t from, size_t children) { return static_cast<uint32_t>((from ^ children) << 10); };
  units[0] = to(0, kChildren);
  units[kChildren ^ 'A'] = to(kChildren ^ 'A', kLeaf) | 1 << 8 | 'A';
  units[kLeaf] = 0x80000000;  // the value: its text starts at 0
  std::string bytes = test::bytes_of(static_cast<uint32_t>(kUnits * sizeof(uint32_t)));
  for (const uint32_t unit : units) bytes += test::bytes_of(unit);
  return bytes + std::string("a\0", 2);
}

/// The first pieces of the embedded model's vocabulary, with a map of one character: the whole one takes long to load.
std::vector<std::string> vocabularies() {
  const std::string whole = bytes_in(embedded_model_dir() / "t5" / "spiece.model");
  constexpr uint32_t kTrainer = 2, kNormalizer = 3;
  PieceList small = PieceList::parse(whole);
  small.pieces.resize(60);
  std::string other;
  const std::string origin = "sample";
  for (protobuf::FieldReader reader(small.other_fields, origin); !reader.done();) {
    const auto part = reader.next();
    if (part.number == kTrainer) other += part.all;
  }
  small.other_fields = other + field(kNormalizer, field(1, "small") + field(2, small_character_map()));
  return {small.serialise()};
}

const std::filesystem::path& text_encoder_folder() {
  static const auto folder = embedded_model_dir() / "t5";
  return folder;
}

void read_text_encoder_config(std::string_view bytes) {
  static const auto weights = open_checkpoint(text_encoder_folder());
  check_text_encoder(weights, scratch_file("t5/config.json", bytes).parent_path());
}

/// Names and shapes of tensors that are nowhere stored: {"name": [2, 3]}.
class ListedTensors final : public TensorSource {
 public:
  explicit ListedTensors(std::string_view text) {
    const json list = parse_json(text);
    if (!list.is_object()) return;
    for (const auto& [name, shape] : list.items()) {
      std::vector<int64_t> extents;
      if (!shape.is_array()) continue;
      for (const json& extent : shape) extents.push_back(extent.is_number_unsigned() ? extent.get<int64_t>() : 0);
      if (checked_numel(extents)) infos_[name] = {at::kFloat, extents};  // as every file is checked
    }
  }
  const std::map<std::string, TensorInfo>& tensors() const override { return infos_; }
  Tensor read(const std::string& name, const TensorInfo&, at::Device) const override { fail_missing(*this, name); }
  std::string origin() const override { return "listed"; }

 private:
  std::map<std::string, TensorInfo> infos_;
};

std::vector<std::string> tensors_of(const std::filesystem::path& checkpoint) {
  const auto source = open_checkpoint(checkpoint);
  json list;
  for (const auto& [name, info] : source->tensors()) list[name] = info.shape;
  return {list.dump()};
}

void check_transformer_shapes(std::string_view bytes) { check_transformer(std::make_shared<ListedTensors>(bytes)); }
void check_vae_shapes(std::string_view bytes) { check_vae(std::make_shared<ListedTensors>(bytes)); }
void check_text_encoder_shapes(std::string_view bytes) {
  check_text_encoder(std::make_shared<ListedTensors>(bytes), text_encoder_folder());
}

}  // namespace

std::vector<Target> model_targets() {
  return {
      {"sentencepiece", read_vocabulary, vocabularies},
      {"t5-config", read_text_encoder_config,
       [] { return std::vector{bytes_in(text_encoder_folder() / "config.json")}; }},
      {"transformer-shapes", check_transformer_shapes, [] { return tensors_of(embedded_model_dir() / "transformer"); }},
      {"vae-shapes", check_vae_shapes, [] { return tensors_of(embedded_model_dir() / "vae.safetensors"); }},
      {"t5-shapes", check_text_encoder_shapes, [] { return tensors_of(text_encoder_folder()); }},
  };
}

}  // namespace faststar::fuzz
