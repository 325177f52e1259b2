#include "core/pipeline/batch/batch_folder.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/json.h"
#include "core/base/lock_file.h"
#include "core/base/utf8.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

/// A record as one line of JSON, with its line end.
std::string to_line(const ManifestRecord& record) {
  Json json;
  json["file"] = record.file;
  json["status"] = record.finished ? "finished" : "failed";
  json["prompt_en"] = record.prompt_en;
  json["prompt"] = record.result.prompt;
  json["seed"] = record.seed;
  json["settings"] = record.settings_hash;
  if (record.finished) {
    json["bytes"] = record.bytes;
    json["seconds"] = Json::object();
    for (const auto& [stage, value] : record.result.seconds) json["seconds"][stage] = std::round(value * 1e3) / 1e3;
    json["peak_bytes"] = record.result.peak_bytes;
    json["text_cut"] = record.result.text_cut;
    json["device"] = record.result.device;
  } else {
    json["error"] = record.error;
  }
  json["time"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  json["version"] = FASTSTAR_VERSION;
  return json_text(json) + "\n";
}

/// What to_line wrote; nothing for other text.
std::optional<ManifestRecord> parse_line(const std::string& line) {
  const Json json = parse_json<Json>(line);
  if (!json.is_object()) return std::nullopt;
  try {
    ManifestRecord record;
    record.file = json.at("file").get<std::string>();
    record.finished = json.at("status").get<std::string>() == "finished";
    record.prompt_en = json.at("prompt_en").get<std::string>();
    record.result.prompt = json.at("prompt").get<std::string>();
    record.seed = json_integer<int64_t>(json.at("seed"));
    record.settings_hash = json.at("settings").get<std::string>();
    record.bytes = json_integer<int64_t>(json, "bytes", 0);
    record.result.text_cut = json.value("text_cut", false);
    record.result.peak_bytes = json_integer<int64_t>(json, "peak_bytes", 0);
    record.error = json.value("error", "");
    return record;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

std::string key_of(const BatchItem& item) { return fmt::format("{:016x}", fnv1a(item.file)); }

/// Tried out: on ext4 this is a property of each folder.
bool ignores_case(const fs::path& folder) {
  const std::string name = fmt::format("case-{}", getpid());
  const TemporaryPath probe(folder / name);
  make_folders(probe.path());
  std::error_code ignored;
  return fs::exists(folder / fmt::format("CASE-{}", getpid()), ignored);
}

std::vector<std::string> foreign_entries(const BatchFolder& folder, const std::set<fs::path>& folders,
                                         const std::string& ending) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const fs::path& path : folders) {
    for (const auto& entry : fs::directory_iterator(path, ignored)) {
      const bool video = entry.is_regular_file(ignored) && entry.path().extension() == ending;
      if (!video && !folders.contains(entry.path()))
        names.push_back(entry.path().lexically_relative(folder.videos()).string());
    }
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace

Manifest::Manifest(std::filesystem::path path) : path_(std::move(path)) { refresh(); }

void Manifest::refresh() {
  std::ifstream stream(path_, std::ios::binary);
  if (!stream) return;  // no attempt yet
  stream.seekg(offset_);
  for (std::string line; std::getline(stream, line) && !stream.eof();) {
    offset_ += static_cast<int64_t>(line.size()) + 1;
    ++lines_;
    auto record = parse_line(line);
    if (!record) {
      fail(ErrorKind::input, fmt::format("{}:{}: not a line written by faststar batch", path_.string(), lines_),
           "delete the line; its video is then made again");
    }
    ItemState& item = items_[record->file];
    item.failures += record->finished ? 0 : 1;
    item.line = lines_;
    item.last = std::move(*record);
  }
}

void Manifest::append(const ManifestRecord& record) {
  LockFile lock(path_);
  const auto held = lock.lock("append");
  cut_torn_line(path_);  // a line without a line end was never acknowledged: its item counts as not made
  const std::string line = to_line(record);
  const int file = open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  const ssize_t written = file < 0 ? -1 : write(file, line.data(), line.size());
  const int error = written < 0 ? errno : ENOSPC;
  const bool whole = written == static_cast<ssize_t>(line.size()) && fsync(file) == 0;
  if (file >= 0) close(file);
  if (whole) return;
  cut_torn_line(path_);
  errno = error;
  fail_errno(ErrorKind::output, path_.string(), "write");
}

const ItemState* Manifest::find(const std::string& file) const {
  const auto found = items_.find(file);
  return found == items_.end() ? nullptr : &found->second;
}

void BatchFolder::create(const std::vector<BatchItem>& items) const {
  for (const char* name : {"videos", "codes", "partial"}) make_folders(root_ / name);
  std::set<fs::path> folders;
  for (const BatchItem& item : items) {
    if (item.problem.empty()) folders.insert(video(item).parent_path());
  }
  for (const fs::path& folder : folders) make_folders(folder);
}

void BatchFolder::check_writable() const {
  std::error_code ignored;
  fs::path there = fs::absolute(videos());
  while (!fs::exists(there, ignored) && there.has_relative_path()) there = there.parent_path();
  faststar::check_writable(there / "manifest.jsonl", Existing::replace);
}

fs::path BatchFolder::partial_video(const BatchItem& item) const {
  return root_ / "partial" / (key_of(item) + fs::path(item.file).extension().string());
}

fs::path BatchFolder::codes(const BatchItem& item) const { return root_ / "codes" / (key_of(item) + ".safetensors"); }

void BatchFolder::remove_partial(const BatchItem& item) const {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root_ / "partial", ignored)) {
    if (entry.path().filename().string().find(key_of(item)) != std::string::npos) fs::remove_all(entry.path(), ignored);
  }
}

void BatchFolder::remove_codes(const BatchItem& item) const {
  std::error_code ignored;
  fs::remove(codes(item), ignored);
}

int64_t BatchFolder::publish(const BatchItem& item) const {
  std::error_code error;
  const auto bytes = static_cast<int64_t>(fs::file_size(partial_video(item), error));
  if (!error) fs::rename(partial_video(item), video(item), error);
  if (error) fail(ErrorKind::output, fmt::format("{}: cannot write: {}", video(item).string(), error.message()));
  return bytes;
}

bool is_finished(const BatchFolder& folder, const BatchItem& item, const ItemState* state) {
  if (state == nullptr || !state->last.finished) return false;
  std::error_code error;
  const auto bytes = fs::file_size(folder.video(item), error);
  return !error && static_cast<int64_t>(bytes) == state->last.bytes;
}

void check_names_fit(const BatchFolder& folder, const std::vector<BatchItem>& items) {
  const auto collision = find_case_collision(items);
  if (!collision || !ignores_case(folder.videos())) return;
  fail(ErrorKind::usage,
       fmt::format("{}: this file system ignores case, so {} and {} would be one file", folder.root().string(),
                   collision->first, collision->second),
       "choose a folder on a case-sensitive file system with -o");
}

std::string item_hash(const BatchItem& item, const std::string& settings_hash) {
  uint64_t hash = fnv1a(settings_hash + "\n" + item.text);
  for (const auto& [name, text] : item.options) {
    const bool is_file = name == "image" || name == "video";  // may be elsewhere on another machine
    hash = fnv1a(fmt::format("\n{}={}", name, is_file ? fs::path(text).filename().string() : text), hash);
  }
  return fmt::format("{:016x}", hash);
}

std::string find_conflict(const Manifest& manifest, const BatchItem& item, const std::string& settings_hash) {
  const ItemState* state = manifest.find(item.file);
  if (state == nullptr || !state->last.finished) return "";
  const auto changed = [&](const char* what, const std::string& before, const std::string& now) {
    return fmt::format("{}:{}: {} was made with {} {}, now it is {}: the list or --samples changed",
                       manifest.path().string(), state->line, item.file, what, before, now);
  };
  if (state->last.prompt_en != item.prompt) return changed("prompt", state->last.prompt_en, item.prompt);
  if (state->last.seed != item.seed) {
    return changed("seed", std::to_string(state->last.seed), std::to_string(item.seed));
  }
  const std::string hash = item_hash(item, settings_hash);
  return state->last.settings_hash == hash ? "" : changed("text or settings", state->last.settings_hash, hash);
}

void check_same_items(const Manifest& manifest, const std::vector<BatchItem>& items, const std::string& settings_hash) {
  for (const BatchItem& item : items) {
    const std::string conflict = find_conflict(manifest, item, settings_hash);
    if (!conflict.empty()) {
      fail(ErrorKind::usage, conflict, "use another folder with -o, or the same list and options as before");
    }
  }
}

Coverage check_coverage(const BatchFolder& folder, const std::vector<BatchItem>& items) {
  const Manifest manifest(folder.manifest());
  Coverage coverage{.expected = static_cast<int64_t>(items.size())};
  std::set<fs::path> folders;
  for (const BatchItem& item : items) {
    if (!item.problem.empty()) {  // its name may lead out of the folder
      coverage.missing.push_back(item.file);
      continue;
    }
    folders.insert(folder.video(item).parent_path());
    std::error_code error;
    const auto bytes = fs::file_size(folder.video(item), error);
    const ItemState* state = manifest.find(item.file);
    const bool recorded = state != nullptr && state->last.finished;
    if (error) {
      coverage.missing.push_back(item.file);
    } else if (bytes == 0 || (recorded && static_cast<int64_t>(bytes) != state->last.bytes)) {
      coverage.damaged.push_back(item.file);
    }
  }
  if (!items.empty())
    coverage.foreign = foreign_entries(folder, folders, fs::path(items.front().file).extension().string());
  return coverage;
}

std::string describe(const Coverage& coverage) {
  std::string text;
  for (const std::string& name : coverage.missing) text += fmt::format("missing {}\n", printable(name));
  for (const std::string& name : coverage.damaged) text += fmt::format("damaged {}\n", printable(name));
  for (const std::string& name : coverage.foreign) text += fmt::format("unexpected {}\n", printable(name));
  return text + fmt::format("{} videos expected: {} missing, {} damaged, {} unexpected files\n", coverage.expected,
                            coverage.missing.size(), coverage.damaged.size(), coverage.foreign.size());
}

std::string to_json(const Coverage& coverage, const BatchFolder& folder) {
  const nlohmann::ordered_json json = {{"folder", folder.root().string()},
                                       {"expected", coverage.expected},
                                       {"missing", coverage.missing},
                                       {"damaged", coverage.damaged},
                                       {"foreign", coverage.foreign}};
  return json_text(json, 2) + "\n";
}

}  // namespace faststar
