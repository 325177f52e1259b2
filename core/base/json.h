#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

namespace faststar {

/// Deepest nesting of JSON that is read. Ours has five levels. The library copies and prints a value with a call for
/// each level, so that some thousands of them end the stack.
inline constexpr int kMaxJsonDepth = 16;

/// Longest JSON that describes a checkpoint: a safetensors header, the index of shards, a config. 100,000 tensors need
/// 15 MB, and parsing takes up to 20 times the text.
inline constexpr int64_t kMaxModelJsonBytes = 16 << 20;

/// True when `json` has more than kMaxJsonDepth objects and arrays inside each other. Any text is allowed.
bool nests_too_deeply(std::string_view json);

/// The value of `text`, which may come from anywhere; `discarded` when it is not JSON, nests too deeply, or holds a
/// number that no double can.
template <typename Json = nlohmann::json>
Json parse_json(std::string_view text) {
  if (nests_too_deeply(text)) return Json(Json::value_t::discarded);
  return Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
}

}  // namespace faststar
