#include "core/lab/metrics/same_work.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

namespace faststar {
namespace {

/// True for a setting, as JSON pointers name it, that shapes the video but for what makes it faster: presets such as
/// `realtime` are versions of a dense video.
bool asks_for_another(std::string_view pointer) {
  constexpr std::array<std::string_view, 5> kOtherSections = {
      "/output/", "/runtime/", "/reduction/", "/guidance/guidance_reuse", "/schedule/video_repetitions/"};
  constexpr std::array<std::string_view, 5> kOthers = {"/generate/first_frame", "/generate/count", "/model/model",
                                                       "/model/preset", "/prompt/prompt"};  // kept in model_prompt
  const auto starts = [&](std::string_view section) { return pointer.starts_with(section); };
  return std::ranges::none_of(kOtherSections, starts) && std::ranges::find(kOthers, pointer) == kOthers.end();
}

/// "/prompt/model_prompt" as people know it.
std::string shown_name(std::string_view pointer) {
  std::string name(pointer.substr(pointer.rfind('/') + 1));
  return name == "model_prompt" ? "prompt" : name == "name" ? "model" : name;
}

}  // namespace

std::vector<std::string> settings_apart(const std::string& a_json, const std::string& b_json) {
  const auto a = nlohmann::json::parse(a_json).flatten(), b = nlohmann::json::parse(b_json).flatten();
  std::set<std::string> pointers;
  for (const auto& [pointer, value] : a.items()) pointers.insert(pointer);
  for (const auto& [pointer, value] : b.items()) pointers.insert(pointer);
  std::vector<std::string> apart;
  for (const std::string& pointer : pointers) {
    if (!a.contains(pointer) || !b.contains(pointer)) continue;  // a version of the program before this setting
    if (asks_for_another(pointer) && a[pointer] != b[pointer]) apart.push_back(shown_name(pointer));
  }
  apart.erase(std::unique(apart.begin(), apart.end()), apart.end());
  return apart;
}

}  // namespace faststar
