#include "core/base/weights/json_document.h"

#include <fmt/format.h>

#include <set>
#include <vector>

#include "core/base/error.h"

namespace faststar {
namespace {

using nlohmann::json;

constexpr int kDeepest = 16;

/// Watches the parser: nlohmann keeps the last of equal keys silently.
class KeyCheck {
 public:
  explicit KeyCheck(const std::string& origin) : origin_(origin) {}

  bool operator()(int depth, json::parse_event_t event, json& parsed) {
    if (depth > kDeepest) fail(ErrorKind::model, fmt::format("{}: JSON nested deeper than {}", origin_, kDeepest));
    if (event == json::parse_event_t::object_start) open_objects_.emplace_back();
    if (event == json::parse_event_t::object_end) open_objects_.pop_back();
    if (event == json::parse_event_t::key) check_new(parsed.get_ref<const std::string&>());
    return true;
  }

 private:
  void check_new(const std::string& key) {
    if (open_objects_.back().insert(key).second) return;
    fail(ErrorKind::model, fmt::format("{}: the key {} is there twice", origin_, json(key).dump()));
  }

  const std::string& origin_;
  std::vector<std::set<std::string>> open_objects_;
};

}  // namespace

json parse_json_object(const std::string& text, const std::string& origin) {
  KeyCheck check(origin);
  const auto watch = [&check](int depth, json::parse_event_t event, json& parsed) {
    return check(depth, event, parsed);
  };
  json document = json::parse(text, watch, /*allow_exceptions=*/false);
  if (!document.is_object()) {  // also when parsing failed: the document is then `discarded`
    fail(ErrorKind::model, fmt::format("{}: expected a JSON object, got damaged or other text", origin),
         "download or copy the file again");
  }
  return document;
}

}  // namespace faststar
