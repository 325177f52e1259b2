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

/// One option per line, and a `--help` that fits on a screen.
class HelpFormatter final : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
};

}  // namespace faststar
