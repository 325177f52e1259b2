#pragma once
#include <concepts>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace faststar {

/// Deepest nesting of JSON that is read. Ours has five levels. The library copies and prints a value with a call for
/// each level, so that some thousands of them end the stack.
inline constexpr int kMaxJsonDepth = 16;

/// Longest JSON that describes a checkpoint: a safetensors header, the index of shards, a config. 100,000 tensors need
/// 15 MB, and parsing takes up to 20 times the text.
inline constexpr int64_t kMaxModelJsonBytes = 16 << 20;

/// True when `json` has more than kMaxJsonDepth objects and arrays inside each other. Any text is allowed.
bool nests_too_deeply(std::string_view json);

/// A key that an object of `json` has twice: nlohmann would silently keep the last of equal keys. Any text that does
/// not nest too deeply is allowed.
std::optional<std::string> duplicate_key(std::string_view json);

/// The value of `text`, which may come from anywhere; `discarded` when it is not JSON, nests too deeply, or holds a
/// number that no double can.
template <typename Json = nlohmann::json>
Json parse_json(std::string_view text) {
  if (nests_too_deeply(text)) return Json(Json::value_t::discarded);
  return Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
}

/// `value` as a whole number. Throws Json::exception as get() does, and for numbers that it would turn into anything:
/// those with a fraction and those outside of the type.
template <std::integral Integer, typename Json>
Integer json_integer(const Json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.template get<uint64_t>();
    if (std::in_range<Integer>(number)) return static_cast<Integer>(number);
  } else if (value.is_number_integer()) {
    const auto number = value.template get<int64_t>();
    if (std::in_range<Integer>(number)) return static_cast<Integer>(number);
  }
  throw Json::type_error::create(302, "expected a whole number", &value);
}

/// The same for a member of an object, and `standard` where it has none of that name.
template <std::integral Integer, typename Json>
Integer json_integer(const Json& object, const char* key, Integer standard) {
  const auto found = object.find(key);
  return found == object.end() ? standard : json_integer<Integer>(*found);
}

/// The whole numbers of a list. Throws Json::exception.
template <std::integral Integer, typename Json>
std::vector<Integer> json_integers(const Json& list) {
  if (!list.is_array()) throw Json::type_error::create(302, "expected a list", &list);
  std::vector<Integer> numbers;
  for (const Json& value : list) numbers.push_back(json_integer<Integer>(value));
  return numbers;
}

}  // namespace faststar
