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
void add_command_option(CLI::App& command, std::string_view name, T& value, OptionText text) {
  const auto add = [&](const std::string& flag) {
    if constexpr (std::is_same_v<T, bool>) {
      return command.add_flag(flag, value, text.help);
    } else {
      return command.add_option(flag, value, text.help)->type_name(text.argument);
    }
  };
  add(flag_name(name))->envname(environment_name(name))->group(kScreenGroup);
}

/// The enumerator named by `text`, the value of `flag`. Throws Error(usage) with the accepted words.
template <Choice Enum>
Enum parse_choice(const char* flag, const std::string& text) {
  Enum value{};
  if (!parse_value(text, Field{}, value)) fail_value({Source::flag, flag}, expected_text(Field{}, value), text);
  return value;
}

}  // namespace faststar
