#include "core/pipeline/batch/manifest.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/error.h"

namespace faststar {
namespace {

using Json = nlohmann::ordered_json;

std::string now_utc() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())));
}

Json seconds_json(const ItemResult& result) {
  Json seconds = Json::object();
  for (const auto& [stage, value] : result.seconds) seconds[stage] = std::round(value * 1e3) / 1e3;
  return seconds;
}

[[noreturn]] void fail_write(const std::filesystem::path& path) {
  fail(ErrorKind::output, fmt::format("{}: cannot write: {}", path.string(), std::strerror(errno)));
}

/// The manifest opened by one writer at a time.
class Appender {
 public:
  explicit Appender(const std::filesystem::path& path)
      : path_(path), file_(open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
    if (file_ < 0) fail_write(path_);
    while (flock(file_, LOCK_EX) != 0) {
      if (errno != EINTR) fail_and_close();
    }
  }
  ~Appender() { close(file_); }
  Appender(const Appender&) = delete;
  Appender& operator=(const Appender&) = delete;

  /// Writes all of `line` to disk, or none of it.
  void append(const std::string& line) {
    const ssize_t written = write(file_, line.data(), line.size());
    if (written == static_cast<ssize_t>(line.size()) && fsync(file_) == 0) return;
    const int error = written < 0 ? errno : ENOSPC;
    cut_torn_line(path_);
    errno = error;
    fail_write(path_);
  }

 private:
  [[noreturn]] void fail_and_close() {
    const int error = errno;
    close(file_);
    errno = error;
    fail_write(path_);
  }

  const std::filesystem::path& path_;
  int file_;
};

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
  Appender file(path_);
  cut_torn_line(path_);  // a line without a line end was never acknowledged: its item counts as not made
  file.append(to_line(record));
}

const ItemState* Manifest::find(const std::string& file) const {
  const auto found = items_.find(file);
  return found == items_.end() ? nullptr : &found->second;
}

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
    json["seconds"] = seconds_json(record.result);
    json["peak_bytes"] = record.result.peak_bytes;
    json["text_cut"] = record.result.text_cut;
    json["device"] = record.result.device;
  } else {
    json["error"] = record.error;
  }
  json["time"] = now_utc();
  json["version"] = FASTSTAR_VERSION;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::optional<ManifestRecord> parse_line(const std::string& line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  try {
    ManifestRecord record;
    record.file = json.at("file").get<std::string>();
    record.finished = json.at("status").get<std::string>() == "finished";
    record.prompt_en = json.at("prompt_en").get<std::string>();
    record.result.prompt = json.at("prompt").get<std::string>();
    record.seed = json.at("seed").get<int64_t>();
    record.settings_hash = json.at("settings").get<std::string>();
    record.bytes = json.value("bytes", int64_t{0});
    record.result.text_cut = json.value("text_cut", false);
    record.error = json.value("error", "");
    return record;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

}  // namespace faststar
