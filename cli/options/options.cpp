#include "cli/options/options.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <algorithm>
#include <string_view>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/config/config_fields.h"
#include "core/config/value.h"

namespace faststar {
namespace {

std::string kind_of(const std::string&) { return "TEXT"; }
std::string kind_of(Seconds) { return ""; }
std::string kind_of(Aspect) { return "W:H"; }
std::string kind_of(int) { return "N"; }
std::string kind_of(int64_t) { return "N"; }
std::string kind_of(double) { return "X"; }
std::string kind_of(const std::vector<int>&) { return "N,N"; }
std::string kind_of(const std::vector<double>&) { return "X,X"; }
std::string kind_of(const ReducedScales&) { return "LIST"; }
template <Choice Enum>
std::string kind_of(Enum) {
  constexpr auto& names = kChoiceNames<Enum>;
  return join_names(names.data(), names.size(), "|");
}
template <typename T>
std::string kind_of(const std::optional<T>&) {
  return kind_of(T{});
}

template <typename T>
std::string argument_name(const Field& field, const T& value) {
  return field.argument.empty() ? kind_of(value) : std::string(field.argument);
}

/// " (17)": the default, unless it depends on the model or the run.
template <typename T>
std::string default_note(const Field& field, const T& value) {
  const std::string text = value_text(value);
  return field.fallback == Fallback::model || text.empty() ? "" : fmt::format(" ({})", text);
}
template <typename T>
std::string default_note(const Field&, const std::optional<T>&) {
  return "";
}

std::string spellings(const Field& field) {
  const std::string name = flag_name(field.setting());
  if (field.other_names.empty()) return name;
  return fmt::format("{},{}", name, field.other_names);
}

/// Calls add(spellings) for the names of a flag; an earlier name works too but is in no help.
template <typename Add>
void add_names(const Field& field, Add&& add) {
  add(spellings(field))->group(field.page == HelpPage::screen ? kScreenGroup : kMoreGroup);
  if (!field.old_name.empty()) add(flag_name(field.old_name))->group("");
}

void add_flag(CLI::App& command, const Field& field, bool, FieldTexts& texts) {
  const auto set = [&texts, name = std::string(field.setting())](int64_t count) {
    texts[name] = count > 0 ? "true" : "false";
  };
  add_names(field,
            [&](const std::string& names) { return command.add_flag_function(names, set, std::string(field.help)); });
}

template <typename T>
void add_flag(CLI::App& command, const Field& field, const T& standard, FieldTexts& texts) {
  const auto set = [&texts, name = std::string(field.setting())](const std::string& text) { texts[name] = text; };
  add_names(field, [&](const std::string& names) {
    const std::string help = std::string(field.help) + default_note(field, standard);
    return command.add_option_function<std::string>(names, set, help)->type_name(argument_name(field, standard));
  });
}

/// The flags of retired settings are still parsed, so that apply_flags can accept or refuse their values.
void add_retired_flags(CLI::App& command, FieldTexts& texts) {
  for (const RetiredSetting& setting : retired_reduction_settings()) {
    const std::string flag = flag_name(setting.flag);
    const std::string name(setting.flag);
    if (setting.value == "true") {
      const auto set = [&texts, name](int64_t count) { texts[name] = count > 0 ? "true" : "false"; };
      command.add_flag_function(flag, set)->group(kRetiredGroup);
    } else {
      const auto set = [&texts, name](const std::string& text) { texts[name] = text; };
      command.add_option_function<std::string>(flag, set)->group(kRetiredGroup);
    }
  }
}

void add_config_option(CLI::App& command, SettingsRequest& settings) {
  command.add_option("--config", settings.config, "a preset or a YAML file")
      ->type_name("NAME|FILE")
      ->group(kScreenGroup);
}

void apply_option_environment(MakingOptions& options) {
  if (options.settings.config.empty()) options.settings.config = environment_text("config").value_or("");
  if (options.save_config.empty()) options.save_config = environment_text("save_config").value_or("");
  const auto dry_run = environment_text("dry_run");
  if (options.dry_run || !dry_run) return;
  if (!parse_value(*dry_run, Field{}, options.dry_run)) {
    fail_value({Source::environment, environment_name("dry_run")}, expected_text(Field{}, true), *dry_run);
  }
}

/// "1" is the number of a GPU.
std::string device_name_of(const std::string& text) {
  int number = 0;
  return parse_value(text, Field{.range = {0, 1024}}, number) ? fmt::format("cuda:{}", number) : text;
}

}  // namespace

void add_making_options(CLI::App& command, FlagScope commands, MakingOptions& options) {
  const Config defaults;
  visit_config(defaults, [&](std::string_view, const Field& field, const auto& standard) {
    if (overlap(field.scope, commands)) add_flag(command, field, standard, options.settings.flags);
  });
  if (overlap(FlagScope::making, commands)) add_retired_flags(command, options.settings.flags);
  add_config_option(command, options.settings);
  command.add_option("--save-config", options.save_config, "write all settings to a YAML file")
      ->type_name("FILE")
      ->group(kMoreGroup);
  command.add_flag("--dry-run", options.dry_run, "check and plan, generate nothing")->group(kScreenGroup);
  command.footer(
      "\nAll options can also be set in the environment (FASTSTAR_SEED for --seed) or in\n"
      "a --config file. --help-all shows more options.");
}

void add_setting_options(CLI::App& command, const std::vector<std::string_view>& wanted, SettingsRequest& settings) {
  const Config defaults;
  visit_config(defaults, [&](std::string_view, const Field& field, const auto& standard) {
    if (std::ranges::find(wanted, field.setting()) != wanted.end()) add_flag(command, field, standard, settings.flags);
  });
  add_config_option(command, settings);
}

void save_config(const MakingOptions& options, const ResolvedSettings& resolved) {
  if (options.save_config.empty()) return;
  const Config& config = resolved.settings.config;
  write_file(options.save_config, config_yaml(config, resolved.base), replace_if(config.output.overwrite));
}

ResolvedSettings resolve_options(MakingOptions& options) {
  apply_option_environment(options);
  ResolvedSettings resolved = resolve_settings(options.settings);
  log::set_quiet(resolved.settings.config.runtime.quiet);
  return resolved;
}

std::vector<std::string> parse_devices(const std::string& text) {
  if (text.empty()) return {};
  std::vector<std::string> devices = CLI::detail::split(text, ',');
  for (std::string& device : devices) {
    if (device.empty()) fail(ErrorKind::usage, fmt::format("--devices: expected a list such as 0,1, got {}", text));
    device = device_name_of(device);
  }
  return devices;
}

}  // namespace faststar
