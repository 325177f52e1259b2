#include "core/pipeline/batch/batch_problems.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/utf8.h"

namespace faststar {
namespace {

/// Messages of an entry's settings begin with its place.
std::string without_origin(const std::string& error, const std::string& origin) {
  const std::string start = origin + ": ";
  return error.starts_with(start) ? error.substr(start.size()) : error;
}

}  // namespace

std::vector<BatchProblem> find_problems(const BatchRun& run,
                                        const std::function<std::string(const BatchItem&)>& problem_of) {
  std::vector<BatchProblem> problems;
  const auto add = [&](const std::string& origin, const std::string& error) {
    if (!error.empty()) problems.push_back({origin, without_origin(error, origin)});
  };
  try {
    run.folder.check_writable();
  } catch (const Error& error) {
    add(run.folder.root().string(), error.what());
  }
  const Manifest manifest(run.folder.manifest());
  std::set<std::string> seen;
  for (const BatchItem& item : run.items) {
    add(item.origin, find_conflict(manifest, item, run.settings_hash));
    if (seen.insert(item.origin).second) add(item.origin, problem_of(item));
  }
  return problems;
}

std::string describe(const std::vector<BatchProblem>& problems, const BatchRun& run) {
  std::string text;
  for (const BatchProblem& problem : problems) {
    text += log::shown(fmt::format("{}: {}", problem.origin, problem.error)) + "\n";
  }
  return text +
         fmt::format("{} videos: {} problem{}\n", run.items.size(), problems.size(), problems.size() == 1 ? "" : "s");
}

std::string to_json(const std::vector<BatchProblem>& problems, const BatchRun& run,
                    const std::optional<TimeEstimate>& time) {
  nlohmann::ordered_json json = {
      {"command", "batch"}, {"dry_run", true}, {"folder", run.folder.root().string()}, {"videos", run.items.size()}};
  json.update(to_json(time));
  json["problems"] = nlohmann::ordered_json::array();
  for (const BatchProblem& problem : problems) {
    json["problems"].push_back({{"origin", problem.origin}, {"error", log::shown(problem.error)}});
  }
  return json_text(json, 2) + "\n";
}

}  // namespace faststar
