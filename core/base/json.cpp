#include "core/base/json.h"

#include <set>

namespace faststar {
namespace {

/// Looks for a key that an object of a JSON text has twice: nlohmann silently keeps the last of equal keys. Its parser
/// calls back for keys, too, but then goes through an object again for each object in it.
class DuplicateKey final : public nlohmann::json_sax<nlohmann::json> {
 public:
  const std::optional<std::string>& found() const { return found_; }

  bool start_object(size_t) override {
    open_objects_.emplace_back();
    return true;
  }
  bool key(std::string& name) override {
    if (open_objects_.back().insert(name).second) return true;
    found_ = name;
    return false;
  }
  bool end_object() override {
    open_objects_.pop_back();
    return true;
  }
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(int64_t) override { return true; }
  bool number_unsigned(uint64_t) override { return true; }
  bool number_float(double, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(nlohmann::json::binary_t&) override { return true; }
  bool start_array(size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(size_t, const std::string&, const nlohmann::json::exception&) override { return false; }

 private:
  std::vector<std::set<std::string>> open_objects_;
  std::optional<std::string> found_;
};

}  // namespace

bool nests_too_deeply(std::string_view json) {
  int depth = 0;
  bool in_string = false;
  for (size_t at = 0; at < json.size(); ++at) {
    const char c = json[at];
    if (in_string && c == '\\') {
      ++at;  // what it escapes, a quotation mark perhaps
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '{' || c == '[') && ++depth > kMaxJsonDepth) {
      return true;
    } else if (!in_string && (c == '}' || c == ']')) {
      --depth;
    }
  }
  return false;
}

std::optional<std::string> duplicate_key(std::string_view json) {
  DuplicateKey duplicate;
  nlohmann::json::sax_parse(json.begin(), json.end(), &duplicate);
  return duplicate.found();
}

}  // namespace faststar
