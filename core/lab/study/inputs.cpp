#include "core/lab/study/inputs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/config/config_fields.h"
#include "core/config/value.h"
#include "core/config/yaml.h"

namespace faststar {
namespace {

StudyPrompt numbered(int64_t index, int64_t seed) {
  return {.index = index, .text = {}, .seed = static_cast<uint64_t>(seed * kPromptsPerSeed + index), .record = {}};
}

/// The section of token reduction, and what the keys of guidance reuse begin with in theirs.
constexpr std::string_view kReduction = "reduction";
constexpr std::string_view kReuse = "guidance_reuse";
/// What a variant may take from the sections `runtime` and `schedule`.
constexpr std::string_view kPrecision = "precision";
constexpr std::string_view kFp8Scales = "fp8_scales";
constexpr std::string_view kLastRepetitions = "last_repetitions";

void flatten(const nlohmann::ordered_json& section, const std::string& prefix, VariantTexts& texts) {
  for (const auto& [key, value] : section.items()) {
    if (value.is_object()) {
      flatten(value, prefix + key + ".", texts);
    } else {
      texts[prefix + key] = value.is_string() ? value.get<std::string>() : value.dump();
    }
  }
}

VariantTexts all_texts(const ReductionConfig& reduction, const GuidanceReuseSettings& reuse) {
  Config config;
  config.reduction = reduction;
  config.guidance.reuse = reuse;
  const auto json = config_json(config);
  VariantTexts texts;
  flatten(json[std::string(kReduction)], "", texts);
  VariantTexts guidance;
  flatten(json["guidance"], "", guidance);
  std::erase_if(guidance, [](const auto& text) { return !text.first.starts_with(kReuse); });
  texts.merge(guidance);
  return texts;
}

VariantTexts differing_texts(const ReductionConfig& reduction, const GuidanceReuseSettings& reuse) {
  const VariantTexts defaults = all_texts({}, {});
  VariantTexts texts = all_texts(reduction, reuse);
  texts.erase("preset");  // it has been replaced by its settings
  std::erase_if(texts, [&](const auto& text) {
    const auto same = defaults.find(text.first);
    return same != defaults.end() && same->second == text.second;
  });
  return texts;
}

/// Reads a key that a variant may take from another section; false for any other.
bool read_other_section(const YamlDocument& document, const YamlEntry& entry, Config& config) {
  bool known = false;
  const auto read = [&](const Field& field, auto& member) {
    const bool may = field.name.starts_with(kReuse) || field.name == kPrecision || field.name == kFp8Scales ||
                     field.name == kLastRepetitions;
    if (!may || !field.has_key(entry.key)) return;
    read_value(entry.value, field, {Source::file, fmt::format("{}: {}", document.where(entry.key_node), entry.key)},
               member);
    known = true;
  };
  visit_fields(config.guidance, read);
  visit_fields(config.runtime, read);
  visit_fields(config.schedule, read);
  return known;
}

/// Applies a mapping with the keys of the section `name`; its subsections are those of the methods.
void apply_variant(const YamlDocument& document, const YAML::Node& mapping, const std::string& name,
                   Settings& settings) {
  const auto was_set = [&](const Field& field, const Origin& origin) {
    settings.origins[std::string(field.setting())] = origin;
  };
  const auto inner = [&](const YamlEntry& entry) {
    const std::string section = fmt::format("{}.{}", name, entry.key);
    bool known = false;
    visit_sections(settings.config, [&](std::string_view other, const auto&) { known = known || other == section; });
    if (known) apply_variant(document, entry.value, section, settings);
    if (known || name != kReduction) return known;
    return read_other_section(document, entry, settings.config);
  };
  visit_sections(settings.config, [&](std::string_view section, auto& fields) {
    if (section == name) read_fields(document, mapping, name, fields, inner, was_set);
  });
}

StudyVariant read_variant(const YamlDocument& document, const YamlEntry& entry, Settings settings) {
  settings.config.runtime.precision.reset();
  settings.config.runtime.fp8_scales.reset();
  settings.config.schedule.last_repetitions.clear();
  apply_variant(document, entry.value, std::string(kReduction), settings);
  settle_reduction(settings);
  const Config& config = settings.config;
  StudyVariant variant{.name = entry.key,
                       .reduction = config.reduction,
                       .reuse = config.guidance.reuse,
                       .precision = config.runtime.precision,
                       .fp8_scales = config.runtime.fp8_scales,
                       .last_repetitions = config.schedule.last_repetitions,
                       .settings = differing_texts(config.reduction, config.guidance.reuse)};
  if (variant.precision) variant.settings[std::string(kPrecision)] = choice_name(*variant.precision);
  if (variant.fp8_scales) variant.settings[std::string(kFp8Scales)] = value_text(*variant.fp8_scales);
  if (!variant.last_repetitions.empty()) {
    variant.settings[std::string(kLastRepetitions)] = fmt::format("{}", fmt::join(variant.last_repetitions, ","));
  }
  const bool reduces = config.reduction.method != ReductionMethod::none;
  const bool reuses = config.guidance.reuse.passes != GuidanceReuse::none;
  if (reduces || reuses || variant.precision || !variant.last_repetitions.empty()) return variant;
  fail(ErrorKind::usage,
       fmt::format("{}: {}: expected a method that reduces tokens, guidance_reuse, precision or last_repetitions",
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

std::vector<StudyVariant> control_variants(Controls controls) {
  std::vector<StudyVariant> variants(controls == Controls::run ? 3 : 1);
  variants[0].name = kDenseVariant;
  variants[0].kind = VariantKind::dense;
  if (controls == Controls::leave_out) return variants;
  variants[1].name = kOtherSeedVariant;
  variants[1].kind = VariantKind::other_seed;
  variants[2].name = kNoiseFloorVariant;
  variants[2].kind = VariantKind::noise_floor;
  return variants;
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
    } else if (entry.key == "controls") {
      bool run = true;
      read_value(entry.value, Field{}, {Source::file, fmt::format("{}: controls", document.where(entry.key_node))},
                 run);
      study.controls = run ? Controls::run : Controls::leave_out;
    } else if (entry.key == "variants" || entry.key == "beyond") {
      add_variants(document, entry, base, study.variants);
    } else {
      document.fail_unknown(entry, "", {"world", "controls", "variants", "beyond"});
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
           nearest_name(name, known).empty() ? fmt::format("one of {}", fmt::join(known, ", "))
                                             : fmt::format("did you mean {}?", nearest_name(name, known)));
    }
    picked.push_back(*found);
    begin = comma + 1;
  }
  return picked;
}

}  // namespace faststar
