#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace faststar {

/// Scales of columns.
inline constexpr double kInMilliseconds = 1e3;
inline constexpr double kInPercent = 100;
inline constexpr double kInMega = 1e-6;
inline constexpr double kInGiga = 1e-9;

/// The unit that FLOP and FLOP/s of a device are shown in.
struct FlopUnit {
  const char* name;
  double scale;
};
inline FlopUnit flop_unit(double ceiling) {
  return ceiling < 1e12 ? FlopUnit{"GFLOP", 1e-9} : FlopUnit{"TFLOP", 1e-12};
}

/// A column of a table for people.
struct BenchColumn {
  std::string heading;  ///< with the unit
  std::string key;      ///< JSON pointer into a row without its first slash: "seconds/median"
  double scale = 1;     ///< from the SI unit of the row to that of the heading
  int digits = 0;       ///< after the point
};

/// Rows of measurements. A row is an object in SI units; a column shows nothing where a row lacks its key.
struct BenchTable {
  std::string key;  ///< in the JSON; empty: the rows are in `facts` already
  std::string title;
  std::vector<BenchColumn> columns;  ///< shown where any row has them
  std::vector<nlohmann::ordered_json> rows;
  std::vector<std::string> footnotes;
};

/// What a bench command found.
struct BenchReport {
  nlohmann::ordered_json facts;    ///< machine, ceilings, settings
  std::vector<std::string> lines;  ///< the facts for people
  std::vector<BenchTable> tables;
  std::vector<std::string> warnings;  ///< why the numbers may not be what they seem
};

/// The table in Markdown, columns aligned, so that it can be read on a terminal and pasted into notes.
std::string table_text(const BenchTable& table);
std::string report_text(const BenchReport& report);

/// facts, an array of rows a table, "warnings".
std::string report_json(const BenchReport& report);

}  // namespace faststar
