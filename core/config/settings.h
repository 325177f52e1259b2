#pragma once
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/config/config.h"

namespace faststar {

/// Where a value can come from; later ones override earlier ones.
enum class Source { standard, preset, file, environment, flag };

/// Where a value came from, with the text for messages: "--crf", "FASTSTAR_CRF", "my.yaml:3: output.crf".
struct Origin {
  Source source = Source::standard;
  std::string text;
};

/// A configuration and the origin of each value.
struct Settings {
  Config config;
  std::map<std::string, Origin, std::less<>> origins;  ///< by Field::setting(); absent: the struct's default

  /// The origin of the setting `name`; Source::standard for a default.
  const Origin& origin(std::string_view name) const;
};

/// The flag of a setting: "--prompt-file" for prompt_file.
std::string flag_name(std::string_view field);

/// The environment variable of a setting: "FASTSTAR_PROMPT_FILE" for prompt_file.
std::string environment_name(std::string_view field);
/// Its text; nothing when it is not set or empty.
std::optional<std::string> environment_text(std::string_view field);

/// Field::setting() -> text as typed.
using FieldTexts = std::map<std::string, std::string, std::less<>>;

/// Applies FASTSTAR_<FLAG> environment variables; an empty one counts as unset. Throws Error(usage).
void apply_environment(Settings& settings);

/// Applies the flags of the command line. Throws Error(usage).
void apply_flags(Settings& settings, const FieldTexts& flags);

/// Applies the settings of one batch entry; messages start with `where`. Throws Error(usage).
void apply_entry(Settings& settings, const FieldTexts& texts, const std::string& where);

/// Keeps one of `prompt` and `prompt_file`: the one from the later source. Throws Error(usage) when one source sets
/// both.
void settle_prompt_source(Settings& settings);

/// Every setting as YAML that apply_yaml reads back to the same values; unset optionals are left out.
/// `base` is printed as `base:` unless empty.
std::string config_yaml(const Config& config, const std::string& base);

/// Every setting by section and key, as metadata and --json record them; unset optionals are left out. Paths are bytes:
/// print them with json_text.
nlohmann::ordered_json config_json(const Config& config);

/// A name of a file, or all those in `config`, for files that other people get: in the home folder they begin with
/// "~/", others are as they were given.
std::string without_home(const std::string& path);
Config without_home(Config config);

/// A recorded name of a file as one word of a shell, which replaces "~/" at its start.
std::string shell_path(const std::string& recorded);

/// Throws Error(usage) for a name of a file that is not UTF-8 where it would be recorded in a file or printed as JSON.
void check_recorded_names(const Settings& settings);

/// A value of such JSON, or of another with sections, that may be damaged; "a.b" is the section b inside a. Null when
/// absent.
nlohmann::json recorded(const nlohmann::json& settings, std::string_view section, std::string_view field);

/// Throws Error(usage): "<origin>: expected <expected>, got <got>".
[[noreturn]] void fail_value(const Origin& origin, const std::string& expected, std::string_view got);

}  // namespace faststar
