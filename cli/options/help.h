#pragma once
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <string>

namespace faststar {

/// Group of the options in `--help`; those of kMoreGroup are only in `--help-all`, those of kRetiredGroup nowhere.
inline const std::string kScreenGroup = "Options";
inline const std::string kMoreGroup = "More options";
inline const std::string kRetiredGroup = "Options of earlier versions";

/// How a command is typed: "faststar study reduction".
std::string command_name(const CLI::App& app);

/// The page of CLI::App::formatter_fn: one option per line, and a `--help` that fits on a screen.
std::string help_page(const CLI::App* app, const std::string& name, CLI::AppFormatMode mode);

}  // namespace faststar
