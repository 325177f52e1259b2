#include "core/lab/study/inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/config/value.h"
#include "core/config/yaml.h"

namespace faststar {
namespace {

StudyPrompt numbered(int64_t index, int64_t seed) {
  return {.index = index, .text = {}, .seed = static_cast<uint64_t>(seed * kPromptsPerSeed + index), .record = {}};
}

constexpr std::string_view kSection = "reduction";

void flatten(const nlohmann::ordered_json& section, const std::string& prefix, ReductionTexts& texts) {
  for (const auto& [key, value] : section.items()) {
    if (value.is_object()) {
      flatten(value, prefix + key + ".", texts);
    } else {
      texts[prefix + key] = value.is_string() ? value.get<std::string>() : value.dump();
    }
  }
}

ReductionTexts all_texts(const ReductionConfig& reduction) {
  Config config;
  config.reduction = reduction;
  ReductionTexts texts;
  flatten(config_json(config)[std::string(kSection)], "", texts);
  return texts;
}

ReductionTexts differing_texts(const ReductionConfig& reduction) {
  const ReductionTexts defaults = all_texts({});
  ReductionTexts texts = all_texts(reduction);
  texts.erase("preset");  // it has been replaced by its settings
  std::erase_if(texts, [&](const auto& text) {
    const auto same = defaults.find(text.first);
    return same != defaults.end() && same->second == text.second;
  });
  return texts;
}

/// Applies a mapping with the keys of the section `name`; its subsections are those of the methods.
void apply_reduction(const YamlDocument& document, const YAML::Node& mapping, const std::string& name,
                     Settings& settings) {
  const auto was_set = [&](const Field& field, const Origin& origin) {
    settings.origins[std::string(field.setting())] = origin;
  };
  const auto inner = [&](const YamlEntry& entry) {
    const std::string section = fmt::format("{}.{}", name, entry.key);
    bool known = false;
    visit_reduction_sections(settings.config.reduction,
                             [&](std::string_view other, const auto&) { known = known || other == section; });
    if (known) apply_reduction(document, entry.value, section, settings);
    return known;
  };
  visit_reduction_sections(settings.config.reduction, [&](std::string_view section, auto& fields) {
    if (section == name) read_fields(document, mapping, name, fields, inner, was_set);
  });
}

StudyVariant read_variant(const YamlDocument& document, const YamlEntry& entry, Settings settings) {
  apply_reduction(document, entry.value, std::string(kSection), settings);
  settle_reduction(settings);
  StudyVariant variant{.name = entry.key,
                       .reduction = settings.config.reduction,
                       .settings = differing_texts(settings.config.reduction)};
  if (variant.reduction.method != ReductionMethod::none) return variant;
  fail(ErrorKind::usage, fmt::format("{}: {}: expected a method that reduces tokens, got none",
                                     document.where(entry.key_node), entry.key));
}

void add_variants(const YamlDocument& document, const YamlEntry& section, const Settings& base,
                  std::vector<StudyVariant>& variants) {
  for (const YamlEntry& entry : document.entries(section.value, section.key)) {
    const auto has_name = [&](const StudyVariant& variant) { return variant.name == entry.key; };
    if (std::ranges::any_of(variants, has_name) || std::ranges::any_of(control_variants(), has_name)) {
      fail(ErrorKind::usage,
           fmt::format("{}: {}: this name is already used", document.where(entry.key_node), entry.key));
    }
    variants.push_back(read_variant(document, entry, base));
  }
}

}  // namespace

std::vector<StudyPrompt> world_prompts(const HeldOutClips& clips, int64_t seed, int64_t count) {
  std::vector<StudyPrompt> prompts;
  for (int64_t index = 0; index < count; ++index) {
    StudyPrompt& prompt = prompts.emplace_back(numbered(index, seed));
    const auto number = static_cast<int64_t>(prompt.seed);
    prompt.text = clips.prompt(number);
    prompt.record = clips.record(number);
  }
  return prompts;
}

std::vector<StudyPrompt> listed_prompts(const std::vector<std::string>& texts, int64_t seed) {
  std::vector<StudyPrompt> prompts;
  for (const std::string& text : texts) {
    prompts.push_back(numbered(static_cast<int64_t>(prompts.size()), seed));
    prompts.back().text = text;
  }
  return prompts;
}

std::vector<StudyVariant> control_variants() {
  return {{.name = kDenseVariant, .kind = VariantKind::dense, .reduction = {}, .settings = {}},
          {.name = kOtherSeedVariant, .kind = VariantKind::other_seed, .reduction = {}, .settings = {}},
          {.name = kNoiseFloorVariant, .kind = VariantKind::noise_floor, .reduction = {}, .settings = {}}};
}

StudyFile read_study_file(const std::filesystem::path& file, const Settings& base) {
  const YamlDocument document(file);
  StudyFile study;
  for (const YamlEntry& entry : document.entries(document.root(), "the file")) {
    if (entry.key == "world") {
      read_fields(
          document, entry.value, entry.key, study.world,
          [](const YamlEntry& key) { return is_obsolete_world_setting(key.key, node_text(key.value)); },
          [](const Field&, const Origin&) {});
    } else if (entry.key == "variants" || entry.key == "beyond") {
      add_variants(document, entry, base, study.variants);
    } else {
      document.fail_unknown(entry, "", {"world", "variants", "beyond"});
    }
  }
  return study;
}

std::vector<StudyVariant> pick_variants(const std::vector<StudyVariant>& variants, const std::string& names) {
  if (names.empty()) return variants;
  std::vector<StudyVariant> picked;
  std::vector<std::string> known;
  for (const StudyVariant& variant : variants) known.push_back(variant.name);
  for (size_t begin = 0; begin <= names.size();) {
    const size_t comma = std::min(names.find(',', begin), names.size());
    const std::string name = names.substr(begin, comma - begin);
    const auto found = std::ranges::find(variants, name, &StudyVariant::name);
    if (found == variants.end()) {
      fail(ErrorKind::usage, fmt::format("--variants: {}: the study file has no such variant", name),
           fmt::format("did you mean {}?", nearest_name(name, known)));
    }
    picked.push_back(*found);
    begin = comma + 1;
  }
  return picked;
}

}  // namespace faststar
