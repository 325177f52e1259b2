#include "cli/options/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "cli/progress/process.h"
#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/config/config_fields.h"

namespace faststar {
namespace {

std::string kind_of(bool) { return ""; }
std::string kind_of(const std::string&) { return "TEXT"; }
std::string kind_of(Seconds) { return ""; }
std::string kind_of(Aspect) { return "W:H"; }
std::string kind_of(int) { return "N"; }
std::string kind_of(int64_t) { return "N"; }
std::string kind_of(double) { return "X"; }
std::string kind_of(const std::vector<int>&) { return "N,N"; }
std::string kind_of(const std::vector<double>&) { return "X,X"; }
std::string kind_of(const ScaleChoice&) { return "LIST"; }
template <Choice Enum>
std::string kind_of(Enum) {
  return choice_names<Enum>("|");
}
template <typename T>
std::string kind_of(const std::optional<T>&) {
  return kind_of(T{});
}

/// Defines a flag that writes the text of a setting to `texts`: a switch, or one with an argument.
CLI::Option* add_flag(CLI::App& command, const std::string& names, std::string_view setting, bool is_switch,
                      FieldTexts& texts) {
  const std::string name(setting);
  if (is_switch) {
    return command.add_flag_function(names, [&texts, name](int64_t count) { texts[name] = value_text(count > 0); });
  }
  const auto set = [&texts, name](const std::string& text) { texts[name] = text; };
  return command.add_option_function<std::string>(names, set);
}

/// Defines the flag of a field; an earlier name works too but is in no help.
template <typename T>
void add_field(CLI::App& command, const Field& field, const T& standard, FieldTexts& texts) {
  constexpr bool is_switch = std::is_same_v<T, bool>;
  const std::string by_default = is_switch ? "" : default_text(field, standard).value_or("");
  const std::string note = by_default.empty() ? "" : fmt::format(" ({})", by_default);
  const auto add = [&](const std::string& spellings, const std::string& group) {
    add_flag(command, spellings, field.setting(), is_switch, texts)
        ->description(std::string(field.help) + note)
        ->type_name(field.argument.empty() ? kind_of(standard) : std::string(field.argument))
        ->group(group);
  };
  const std::string name = flag_name(field.setting());
  const std::string names = field.other_names.empty() ? name : fmt::format("{},{}", name, field.other_names);
  add(names, field.basic ? kScreenGroup : kMoreGroup);
  if (!field.old_name.empty()) add(flag_name(field.old_name), "");
}

/// The flags of retired settings are still parsed, so that apply_flags can accept or refuse their values.
void add_retired_flags(CLI::App& command, FieldTexts& texts) {
  for (const RetiredSetting& setting : retired_reduction_settings()) {
    add_flag(command, flag_name(setting.flag), setting.flag, setting.value == "true", texts)->group(kRetiredGroup);
  }
}

/// Defines the flags of the fields that `wanted` is true of, and --config.
template <typename Wanted>
void add_fields(CLI::App& command, Wanted&& wanted, SettingsRequest& settings) {
  const Config defaults;
  visit_config(defaults, [&](std::string_view, const Field& field, const auto& standard) {
    if (wanted(field)) add_field(command, field, standard, settings.flags);
  });
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

std::string usage(const CLI::App& app) {
  if (app.get_parent() == nullptr) return "faststar COMMAND [options]";
  std::string line = command_name(app);
  for (const CLI::Option* option : app.get_options()) {
    if (option->nonpositional()) continue;
    const std::string name = option->get_name(true);
    line += option->get_required() ? " " + name : fmt::format(" [{}]", name);
  }
  return line + " [options]";
}

std::string option_lines(const CLI::App& app, const std::string& group) {
  std::string lines;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group() != group || !option->nonpositional()) continue;
    const std::string name = fmt::format("{} {}", option->get_name(false, true), option->get_type_name());
    const bool has_short = !option->get_snames().empty();
    lines +=
        fmt::format("  {}{:<{}} {}\n", has_short ? "" : "    ", name, has_short ? 36 : 32, option->get_description());
  }
  return lines;
}

std::string command_lines(const CLI::App& app) {
  std::string lines;
  for (const CLI::App* command : app.get_subcommands({})) {
    lines += fmt::format("  {:<12} {}\n", command->get_name(), command->get_description());
  }
  return lines.empty() ? "" : fmt::format("\nCommands (faststar COMMAND --help):\n{}", lines);
}

}  // namespace

std::string command_name(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : command_name(*app.get_parent()) + " " + app.get_name();
}

std::string help_page(const CLI::App* app, const std::string&, CLI::AppFormatMode mode) {
  constexpr size_t kColumns = 80;
  const std::string start = usage(*app) + ":";
  const bool fits = start.size() + 1 + app->get_description().size() <= kColumns;
  std::string text = fmt::format("{}{}{}\n{}\n{}:\n{}", start, fits ? " " : "\n  ", app->get_description(),
                                 command_lines(*app), kScreenGroup, option_lines(*app, kScreenGroup));
  const std::string more = option_lines(*app, kMoreGroup);
  if (more.empty()) return text;
  if (mode == CLI::AppFormatMode::All) text += fmt::format("\n{}:\n{}", kMoreGroup, more);
  return text + app->get_footer() + "\n";
}

void add_making_options(CLI::App& command, FlagScope commands, MakingOptions& options) {
  const auto is_wanted = [&](const Field& field) { return overlap(field.scope, commands); };
  add_fields(command, is_wanted, options.settings);
  if (overlap(FlagScope::making, commands)) add_retired_flags(command, options.settings.flags);
  command.add_option("--save-config", options.save_config, "write all settings to a YAML file")
      ->type_name("FILE")
      ->group(kMoreGroup);
  if (overlap(FlagScope::one_file | FlagScope::interact, commands)) {
    add_command_option(command, "devices", options.devices, "LIST", "GPUs that share one video: 0,1", kMoreGroup);
  }
  command.add_flag("--dry-run", options.dry_run, "check and plan, generate nothing")->group(kScreenGroup);
  command.footer(
      "\nAll options can also be set in the environment (FASTSTAR_SEED for --seed) or in\n"
      "a --config file.");
}

void add_setting_options(CLI::App& command, const std::vector<std::string_view>& wanted, SettingsRequest& settings) {
  const auto is_wanted = [&](const Field& field) { return std::ranges::find(wanted, field.setting()) != wanted.end(); };
  add_fields(command, is_wanted, settings);
}

void save_config(const MakingOptions& options, const ResolvedSettings& resolved) {
  if (options.save_config.empty()) return;
  Config config = resolved.settings.config;
  for (auto* path : {&config.model.model, &config.generate.image, &config.generate.video}) {  // work from any folder
    if (*path && !(*path)->empty()) *path = std::filesystem::absolute(**path).string();
  }
  write_file(options.save_config, config_yaml(config, resolved.base), replace_if(config.output.overwrite));
}

ResolvedSettings resolve_options(MakingOptions& options) {
  apply_option_environment(options);
  ResolvedSettings resolved = resolve_settings(options.settings);
  resolved.plan_only = options.dry_run;
  log::set_quiet(resolved.settings.config.runtime.quiet);
  if (resolved.settings.config.runtime.progress == ProgressStyle::json) use_json_messages();
  return resolved;
}

std::vector<std::string> parse_devices(const std::string& text) {
  if (text.empty()) return {};
  std::vector<std::string> devices = CLI::detail::split(text, ',');
  for (std::string& device : devices) {
    if (device.empty()) fail(ErrorKind::usage, fmt::format("--devices: expected a list such as 0,1, got {}", text));
    int number = 0;
    if (parse_value(device, Field{.range = {0, 1024}}, number)) device = fmt::format("cuda:{}", number);
  }
  return devices;
}

}  // namespace faststar
