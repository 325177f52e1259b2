#pragma once
#include <array>
#include <concepts>
#include <limits>
#include <string_view>
#include <type_traits>

namespace faststar {

/// Which commands take a field as a flag: one command, or several joined.
enum class FlagScope : unsigned {
  t2v = 1,
  t2i = 2,
  i2v = 4,
  v2v = 8,
  interact = 16,
  batch = 32,
  decode = 64,
  one_video = t2v | i2v | v2v,           ///< one prompt becomes one video a seed
  video = one_video | interact | batch,  ///< a transformer makes videos
  making = video | t2i,                  ///< a transformer works
  one_file = one_video | t2i,            ///< one prompt becomes one file a seed
  writing = making | decode,             ///< files are encoded
};

constexpr FlagScope operator|(FlagScope a, FlagScope b) {
  return static_cast<FlagScope>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}

/// True when `scope` and `commands` have a command in common.
constexpr bool overlap(FlagScope scope, FlagScope commands) {
  return (static_cast<unsigned>(scope) & static_cast<unsigned>(commands)) != 0;
}

/// Which help page lists a flag.
enum class HelpPage { screen, all };

/// Who decides when the user says nothing.
enum class Fallback {
  constant,  ///< the struct's own default
  model,     ///< the model's preset, which has to set it
};

/// Bounds of a number, both included.
struct Range {
  double min = std::numeric_limits<double>::lowest();
  double max = std::numeric_limits<double>::max();
};

/// What is known about a setting besides its type and default. `visit_fields(config, visitor)` beside each
/// struct calls visitor(field, member) for every member, and is the only list of them: YAML, flags,
/// environment names, help, --save-config and metadata all walk it.
struct Field {
  std::string_view name;           ///< YAML and metadata key; the flag is the same with dashes
  std::string_view flag{};         ///< another name for flag and environment, where `name` says too little there
  std::string_view help{};         ///< one line, without the default
  Range range{};                   ///< of numbers, and of the entries of lists
  std::string_view argument{};     ///< "FILE": what help calls the flag's value; empty: from the type
  std::string_view other_names{};  ///< "-p": further spellings of the flag, comma-separated
  FlagScope scope = FlagScope::making;
  HelpPage page = HelpPage::all;
  Fallback fallback = Fallback::constant;

  /// What the setting is called outside its section, with underscores: unique over all sections.
  constexpr std::string_view setting() const { return flag.empty() ? name : flag; }
};

/// `Self` is `Config` or `const Config`: one visit_fields serves readers and writers.
template <typename Self, typename Config>
concept FieldsOf = std::same_as<std::remove_const_t<Self>, Config>;

/// The words of an enum, in the order of its enumerators: `static constexpr std::array names`.
template <typename Enum>
struct Choices;

template <typename T>
concept Choice = std::is_enum_v<T> && requires {
  Choices<T>::names.size();
};

/// The word of an enumerator.
template <Choice Enum>
constexpr std::string_view choice_name(Enum value) {
  return Choices<Enum>::names[static_cast<size_t>(value)];
}

}  // namespace faststar
