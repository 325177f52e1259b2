#pragma once
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/resolve.h"
#include "core/config/settings.h"
#include "core/config/value.h"

namespace faststar {

/// Group of the options in `--help`; those of kMoreGroup are only in `--help-all`, those of kRetiredGroup nowhere.
inline const std::string kScreenGroup = "Options";
inline const std::string kMoreGroup = "More options";
inline const std::string kRetiredGroup = "Options of earlier versions";

/// How a command is typed: "faststar study reduction".
std::string command_name(const CLI::App& app);

/// The page of CLI::App::formatter_fn: one option per line, and a `--help` that fits on a screen.
std::string help_page(const CLI::App* app, const std::string& name, CLI::AppFormatMode mode);

/// The command line of a command that generates files, before settings are resolved.
struct MakingOptions {
  SettingsRequest settings;
  std::string save_config;  ///< file for the resolved settings; empty: none
  bool dry_run = false;     ///< check and plan only
  std::string devices;      ///< of commands whose processes make one video together
};

/// Defines the options of a command that generates files: a flag for every field of Config with a scope in `commands`.
/// `options` must outlive the parse.
void add_making_options(CLI::App& command, FlagScope commands, MakingOptions& options);

/// Defines a flag for every field of Config that `wanted` names, by Field::setting(), and --config. `settings` must
/// outlive the parse.
void add_setting_options(CLI::App& command, const std::vector<std::string_view>& wanted, SettingsRequest& settings);

/// The default of a setting as text: empty where a run decides, nothing where the model does.
template <typename T>
std::optional<std::string> default_text(const Field& field, const T& standard) {
  if (field.from_model) return std::nullopt;
  return value_text(standard);
}
template <typename T>
std::optional<std::string> default_text(const Field&, const std::optional<T>&) {
  return "";
}

/// Writes the resolved settings to the file of --save-config, if given. Throws Error(output).
void save_config(const MakingOptions& options, const ResolvedSettings& resolved);

/// The settings of all sources, as resolve_settings, and quiet logging where they ask for it. First reads
/// FASTSTAR_CONFIG, FASTSTAR_SAVE_CONFIG and FASTSTAR_DRY_RUN into `options` for flags that were not given.
/// Throws Error(usage).
ResolvedSettings resolve_options(MakingOptions& options);

/// The devices of --devices: "0,1" is cuda:0 and cuda:1; "cpu" is allowed too. Empty for an empty text.
/// Throws Error(usage).
std::vector<std::string> parse_devices(const std::string& text);

/// Adds `--name` (underscores become dashes), with its environment variable, to a command whose options are not
/// settings of Config. `argument`: "FILE", "N"; empty for a switch.
template <typename T>
CLI::Option* add_command_option(CLI::App& command, std::string_view name, T& value, const char* argument,
                                const char* help, const std::string& group = kScreenGroup) {
  CLI::Option* option = nullptr;
  if constexpr (std::is_same_v<T, bool>) {
    option = command.add_flag(flag_name(name), value, help);
  } else {
    option = command.add_option(flag_name(name), value, help)->type_name(argument);
  }
  return option->envname(environment_name(name))->group(group);
}

/// The enumerator named by `text`, the value of `flag`. Throws Error(usage) with the accepted words.
template <Choice Enum>
Enum parse_choice(const char* flag, const std::string& text) {
  Enum value{};
  if (!parse_value(text, Field{}, value)) fail_value({Source::flag, flag}, expected_text(Field{}, value), text);
  return value;
}

}  // namespace faststar
