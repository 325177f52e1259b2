#include "core/pipeline/rates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/utf8.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

using RatesJson = nlohmann::ordered_json;

struct NamedKeyPart {
  const char* name;
  std::string RatesKey::*value;
};
constexpr std::array<NamedKeyPart, 6> kKeyParts = {{{"device", &RatesKey::device},
                                                    {"network", &RatesKey::network},
                                                    {"precision", &RatesKey::precision},
                                                    {"attention", &RatesKey::attention},
                                                    {"kernels", &RatesKey::kernels},
                                                    {"program", &RatesKey::program}}};

/// Rates are divided by, but for seconds that may be none.
bool is_rate(const NamedRate& rate, double value) {
  const bool may_be_zero = rate.value == &Rates::row || rate.value == &Rates::video || rate.value == &Rates::start ||
                           rate.value == &Rates::file;
  return std::isfinite(value) && (may_be_zero ? value >= 0 : value > 0);
}

/// Throws Json::exception, or Error for a number that is no rate.
Rates read_rates(const RatesJson& json) {
  Rates rates;
  for (const NamedRate& rate : kRates) {
    if (!json.contains(rate.name)) continue;
    const double value = json.at(rate.name).get<double>();
    if (!is_rate(rate, value)) fail(ErrorKind::input, fmt::format("{} is {}", rate.name, value));
    rates.*rate.value = value;
  }
  return rates;
}

std::string environment_folder(const char* name) {
  const char* const text = std::getenv(name);
  return text != nullptr && *text == '/' ? text : "";  // the XDG specification ignores relative paths
}

}  // namespace

Rates with_standard(Rates rates, const Rates& standard) {
  for (const NamedRate& rate : kRates) {
    if (!(rates.*rate.value)) rates.*rate.value = standard.*rate.value;
  }
  return rates;
}

std::optional<fs::path> RatesFile::standard_path() {
  const std::string cache = environment_folder("XDG_CACHE_HOME"), home = environment_folder("HOME");
  if (cache.empty() && home.empty()) return std::nullopt;
  return (cache.empty() ? fs::path(home) / ".cache" : fs::path(cache)) / "faststar" / "rates.json";
}

RatesFile::RatesFile(std::optional<fs::path> path) : path_(std::move(path)) {
  std::error_code ignored;
  if (!path_ || !fs::exists(*path_, ignored)) return;
  try {
    std::ifstream stream(*path_, std::ios::binary);
    const std::string text = read_text(stream, path_->string(), "a file of rates", 1, ErrorKind::input);
    const RatesJson json = parse_json<RatesJson>(text);
    for (const RatesJson& entry : json.at("rates")) {
      RatesKey key;
      for (const NamedKeyPart& part : kKeyParts) key.*part.value = entry.at(part.name).get<std::string>();
      entries_.push_back({key, read_rates(entry.at("measured"))});
    }
  } catch (const std::exception&) {
    entries_.clear();
    log::warn("{}: damaged, so that times are guessed; `faststar bench` writes it again", path_->string());
  }
}

Rates RatesFile::find(const RatesKey& key) const {
  const auto found = std::ranges::find(entries_, key, &Entry::key);
  return found == entries_.end() ? Rates{} : found->rates;
}

void RatesFile::set(const RatesKey& key, const Rates& rates) {
  const Rates merged = with_standard(rates, find(key));
  std::erase_if(entries_, [&](const Entry& entry) { return entry.key == key || entry.key.program != key.program; });
  entries_.push_back({key, merged});
}

void RatesFile::write() const {
  if (!path_) fail(ErrorKind::output, "cannot save the measured rates: no cache folder", "set HOME or XDG_CACHE_HOME");
  make_folders(path_->parent_path());
  RatesJson json = {{"rates", RatesJson::array()}};
  for (const Entry& entry : entries_) {
    RatesJson& written = json["rates"].emplace_back();
    for (const NamedKeyPart& part : kKeyParts) written[part.name] = entry.key.*part.value;
    written["measured"] = RatesJson::object();
    for (const NamedRate& rate : kRates) {
      if (const auto& value = entry.rates.*rate.value) written["measured"][rate.name] = *value;
    }
  }
  write_file(*path_, json_text(json, 2) + "\n", Existing::replace);
}

}  // namespace faststar
