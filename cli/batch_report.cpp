#include "cli/batch_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace faststar {
namespace {

using Json = nlohmann::ordered_json;

/// File names are bytes: invalid UTF-8 is replaced.
std::string text_of(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace

std::string describe(const BatchSummary& summary) {
  std::string text = fmt::format("{} of {} videos finished: {} made now",
                                 summary.found + summary.made + summary.elsewhere, summary.items, summary.made);
  if (summary.found > 0) text += fmt::format(", {} before", summary.found);
  if (summary.elsewhere > 0) text += fmt::format(", {} by other processes", summary.elsewhere);
  if (!summary.failed.empty()) text += fmt::format(", {} failed", summary.failed.size());
  if (summary.text_cut > 0)
    text += fmt::format("; {} prompts were too long for the model and were cut", summary.text_cut);
  for (const FailedItem& item : summary.failed) text += fmt::format("\nfailed: {}: {}", item.file, item.error);
  return text;
}

std::string to_json(const BatchSummary& summary, const BatchFolder& folder) {
  Json json = {{"folder", folder.root().string()}, {"videos", summary.items},
               {"found", summary.found},           {"made", summary.made},
               {"elsewhere", summary.elsewhere},   {"text_cut", summary.text_cut},
               {"failed", Json::array()}};
  for (const FailedItem& item : summary.failed) json["failed"].push_back({{"file", item.file}, {"error", item.error}});
  return text_of(json);
}

std::string describe(const Coverage& coverage) {
  std::string text;
  for (const std::string& name : coverage.missing) text += fmt::format("missing {}\n", name);
  for (const std::string& name : coverage.damaged) text += fmt::format("damaged {}\n", name);
  for (const std::string& name : coverage.foreign) text += fmt::format("unexpected {}\n", name);
  return text + fmt::format("{} videos expected: {} missing, {} damaged, {} unexpected files\n", coverage.expected,
                            coverage.missing.size(), coverage.damaged.size(), coverage.foreign.size());
}

std::string to_json(const Coverage& coverage, const BatchFolder& folder) {
  return text_of({{"folder", folder.root().string()},
                  {"expected", coverage.expected},
                  {"missing", coverage.missing},
                  {"damaged", coverage.damaged},
                  {"foreign", coverage.foreign}});
}

}  // namespace faststar
