#pragma once
#include <map>
#include <string>
#include <string_view>

#include "core/config/config.h"

namespace faststar {

/// Who set a value, weakest first.
enum class Source { standard, preset, file, environment, flag };

/// Where a value came from, as messages name it: "--crf", "FASTSTAR_CRF", "my.yaml:3: output.crf".
struct Origin {
  Source source = Source::standard;
  std::string text;
};

/// A configuration and where each of its values came from.
struct Settings {
  Config config;
  std::map<std::string, Origin, std::less<>> origins;  ///< by Field::setting(); absent: the struct's default

  /// Who set the setting `name`; Source::standard when nobody did.
  const Origin& origin(std::string_view name) const;
};

/// "--prompt-file" of setting prompt_file.
std::string flag_name(std::string_view field);

/// "FASTSTAR_PROMPT_FILE" of setting prompt_file.
std::string environment_name(std::string_view field);

/// Field::setting() -> text as typed.
using FieldTexts = std::map<std::string, std::string, std::less<>>;

/// Sets what FASTSTAR_<FLAG> variables say; empty ones count as unset. Throws Error(usage).
void apply_environment(Settings& settings);

/// Sets what was given on the command line. Throws Error(usage).
void apply_flags(Settings& settings, const FieldTexts& flags);

/// Sets what one entry of a list says of itself; `where` names the entry. Throws Error(usage).
void apply_entry(Settings& settings, const FieldTexts& texts, const std::string& where);

/// `prompt` and `prompt_file` are two ways to say one thing: the stronger source wins.
/// Throws Error(usage) when one source sets both.
void settle_prompt_source(Settings& settings);

/// The exact value `text` is not valid for a field. Throws Error(usage) naming origin, expected and got.
[[noreturn]] void fail_value(const Origin& origin, const std::string& expected, std::string_view got);

}  // namespace faststar
