#pragma once
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <string>
#include <string_view>

#include "cli/options/help.h"
#include "core/config/settings.h"
#include "core/config/value.h"

namespace faststar {

/// The line of an option in `--help`.
struct OptionText {
  const char* argument;  ///< "FILE", "N"; empty for a switch
  const char* help;
};

/// Adds `--name` (underscores become dashes), with its environment variable, to a command whose options are not
/// settings of Config.
template <typename T>
CLI::Option* add_command_option(CLI::App& command, std::string_view name, T& value, OptionText text,
                                const std::string& group = kScreenGroup) {
  CLI::Option* option = nullptr;
  if constexpr (std::is_same_v<T, bool>) {
    option = command.add_flag(flag_name(name), value, text.help);
  } else {
    option = command.add_option(flag_name(name), value, text.help)->type_name(text.argument);
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
