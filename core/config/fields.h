#pragma once
#include <array>
#include <concepts>
#include <cstddef>
#include <limits>
#include <string_view>
#include <type_traits>

namespace faststar {

/// The commands that have a flag for a field.
enum class FlagScope : unsigned {
  t2v = 1,
  t2i = 2,
  i2v = 4,
  v2v = 8,
  interact = 16,
  batch = 32,
  decode = 64,
  one_video = t2v | i2v | v2v,           ///< one prompt, one video per seed
  video = one_video | interact | batch,  ///< all that generate videos
  making = video | t2i,                  ///< all that generate
  one_file = one_video | t2i,            ///< one prompt, one file per seed
  writing = making | decode,             ///< all that write videos or pictures
};

constexpr FlagScope operator|(FlagScope a, FlagScope b) {
  return static_cast<FlagScope>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}

/// True when `scope` and `commands` have a command in common.
constexpr bool overlap(FlagScope scope, FlagScope commands) {
  return (static_cast<unsigned>(scope) & static_cast<unsigned>(commands)) != 0;
}

/// Bounds of a number, both included.
struct Range {
  double min = std::numeric_limits<double>::lowest();
  double max = std::numeric_limits<double>::max();
};

/// What is known about a setting besides its type and default. `visit_fields(config, visitor)` of a struct calls
/// visitor(field, member) for every member. It is the only list of them: YAML, flags, environment variables, help,
/// --save-config and metadata all walk it.
struct Field {
  std::string_view name;           ///< YAML and metadata key; the flag is the same with dashes
  std::string_view flag{};         ///< name of flag and variable, where `name` says too little outside its section
  std::string_view help{};         ///< one line, without the default
  Range range{};                   ///< of numbers, and of the entries of lists
  std::string_view argument{};     ///< "FILE": what help calls the flag's value; empty: from the type
  std::string_view other_names{};  ///< "-p": further spellings of the flag, comma-separated
  std::string_view old_name{};     ///< an earlier name of key, flag and variable: still read, never written
  FlagScope scope = FlagScope::making;
  bool basic = false;       ///< shown by --help, not only by --help-all
  bool from_model = false;  ///< set by the preset of every model; else the struct's own default holds

  /// The name of the setting outside its section, with underscores: unique over all sections.
  constexpr std::string_view setting() const { return flag.empty() ? name : flag; }

  /// True for the name of a file or folder.
  constexpr bool names_path() const { return argument == "FILE" || argument == "DIR"; }

  /// True when `key` is the YAML key of this field, or an earlier one.
  constexpr bool has_key(std::string_view key) const { return key == name || (!key.empty() && key == old_name); }
};

/// `Self` is `Config` or `const Config`: one visit_fields serves readers and writers.
template <typename Self, typename Config>
concept FieldsOf = std::same_as<std::remove_const_t<Self>, Config>;

/// What choice_words() returns.
template <typename... Text>
constexpr auto word_list(Text... words) {
  return std::array<std::string_view, sizeof...(Text)>{words...};
}

/// An enum that is a setting: choice_words(T) beside it returns its words, in the order of the enumerators.
template <typename T>
concept Choice = std::is_enum_v<T> && requires {
  choice_words(T{}).size();
};

template <Choice Enum>
inline constexpr auto kChoiceNames = choice_words(Enum{});

/// The word of an enumerator.
template <Choice Enum>
constexpr std::string_view choice_name(Enum value) {
  return kChoiceNames<Enum>[static_cast<size_t>(value)];
}

}  // namespace faststar
