#include "core/lab/study/reduction_study.h"

#include <c10/core/InferenceMode.h>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/config/config_fields.h"
#include "core/config/preset.h"
#include "core/config/value.h"
#include "core/lab/bench/machine.h"
#include "core/lab/study/run_study.h"
#include "core/pipeline/batch/batch_folder.h"
#include "core/pipeline/batch/batch_items.h"
#include "core/pipeline/prompt.h"
#include "core/pipeline/run.h"

namespace faststar {
namespace {

/// The video seed of the last prompt of a study must fit into 32 bits.
constexpr int64_t kMaxSeeds = 40'000;

/// Throws Error(usage) when it is not valid.
int64_t seed_of(const StudyRequest& asked) {
  int64_t seed = 0;
  if (parse_value(asked.seed, Field{.range = {0, kMaxSeeds}}, seed)) return seed;
  fail(ErrorKind::usage, fmt::format("--seed {}: expected 0 to {}", asked.seed, kMaxSeeds));
}

void check_request(const StudyRequest& asked) {
  if (asked.prompts.empty() == (asked.world == 0)) {
    fail(ErrorKind::usage, "expected --prompts or --world", "--world 200");
  }
  if (asked.world < 0 || asked.world > kPromptsPerSeed) {
    fail(ErrorKind::usage, fmt::format("--world {}: expected 1 to {} prompts", asked.world, kPromptsPerSeed));
  }
  seed_of(asked);
}

/// The reduction and guidance reuse given by flags and --config are the base of all variants; the request itself is
/// dense.
Settings take_reduction(Settings& settings) {
  Settings base = settings;
  settings.config.reduction = {};
  settings.config.guidance.reuse = {};
  visit_config(base.config, [&](std::string_view section, const Field& field, const auto&) {
    if (section.starts_with("reduction")) settings.origins.erase(std::string(field.setting()));
  });
  return base;
}

std::vector<StudyPrompt> choose_prompts(const StudyRequest& asked, const HeldOutClips& clips, const Config& config) {
  std::vector<StudyPrompt> prompts;
  if (asked.world > 0) {
    prompts = world_prompts(clips, seed_of(asked), asked.world);
  } else {
    std::vector<std::string> texts;
    for (const PromptEntry& entry : read_prompt_list({.list = asked.prompts}).entries) {
      texts.push_back(checked_prompt(entry.refined.value_or(entry.prompt), entry.origin, ErrorKind::input));
    }
    prompts = listed_prompts(texts, seed_of(asked));
  }
  for (StudyPrompt& prompt : prompts) {
    prompt.text = video_prompt(prompt.text, config.prompt, config.generate.duration);
  }
  return prompts;
}

/// Hash of everything that all records of a study share, the machine included: bits and times depend on it.
std::string setup_hash(const Model& loaded, Config config, const StudyRequest& asked) {
  config.runtime.precision = loaded.setup().precision;
  std::string text = fmt::format("{} {} {} {} {}", settings_hash(config), seed_of(asked), device_name(loaded.device()),
                                 choice_name(config.runtime.attention), choice_name(config.runtime.kernels));
  for (const auto& [part, fingerprint] : loaded.fingerprints()) text += fmt::format(" {} {}", part, fingerprint);
  return fmt::format("{:016x}", fnv1a(text));
}

/// Scenes are rendered and clips checked only at the size and length of the procedural world.
bool shows_world(const Request& request) {
  constexpr int64_t kCheckedFrames = 33;
  return request.size.height == kWorldHeight && request.size.width == kWorldWidth &&
         request.size.frames == kCheckedFrames;
}

/// The study's model in the precision of a variant.
struct PrecisionModel {
  PrecisionModel(ModelSetup setup, Precision precision)
      : model(in_precision(std::move(setup), precision), Residency::everything), pipeline(model) {}
  Model model;
  Pipeline pipeline;

 private:
  static ModelSetup in_precision(ModelSetup setup, Precision precision) {
    check_precision(precision, at::Device(setup.device), "variant: precision");
    setup.precision = precision;
    setup.linears = precision == Precision::fp8 ? LinearPrecision::both : LinearPrecision::backbone;
    return setup;
  }
};

/// The settings that flags and environment gave, as flags. `settings` has the origins of all.
std::string setting_flags(const StudyRequest& asked, const Settings& settings) {
  std::string line;
  visit_config(settings.config, [&](std::string_view, const Field& field, const auto& member) {
    const std::string name(field.setting());
    const Source source = settings.origin(name).source;
    if (name == "progress" || name == "quiet" || (source != Source::flag && source != Source::environment)) return;
    line += " " + flag_name(name);
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(member)>, bool>) {
      if (!member) line += "=false";
    } else {
      const auto typed = asked.settings.flags.find(name);
      const std::string text =
          typed != asked.settings.flags.end() ? typed->second : environment_text(name).value_or("");
      line += " " + (field.names_path() ? shell_path(without_home(text)) : shell_quoted(text));
    }
  });
  return line;
}

/// The command line that makes the whole study again.
std::string study_line(const StudyRequest& asked, const Settings& settings) {
  std::string line = "faststar study reduction";
  const auto add_path = [&](const char* flag, const std::string& path) {
    line += fmt::format(" {} {}", flag, shell_path(without_home(path)));
  };
  if (asked.world > 0) line += fmt::format(" --world {}", asked.world);
  if (!asked.prompts.empty()) add_path("--prompts", asked.prompts);
  line += fmt::format(" --seed {}", seed_of(asked));
  if (asked.study != kStandardStudy) add_path("--study", asked.study);
  if (!asked.variants.empty()) line += " --variants " + shell_quoted(asked.variants);
  if (asked.no_controls) line += " --no-controls";
  if (!asked.settings.config.empty()) add_path("--config", asked.settings.config);
  line += setting_flags(asked, settings);
  add_path("--out", asked.out);
  return line;
}

std::string settings_line(const Request& request, const Config& config) {
  return fmt::format(
      "{}x{}, {} frames, guidance {} {}, tau {} for the image clip and {} for video clips, attention {}, "
      "kernels {}",
      request.size.width, request.size.height, request.size.frames, choice_name(config.guidance.method),
      config.guidance.scale, config.sampling.tau_image, config.sampling.tau_video,
      choice_name(config.runtime.attention), choice_name(config.runtime.kernels));
}

std::string model_text(const ModelFolder& model) {
  const std::string random = model.random_weights ? ", random weights" : "";
  if (model.embedded) return fmt::format("{} (embedded{})", model.preset.name, random);
  const std::string where = model.folder.empty() ? model.preset.file.string() : model.folder.string();
  return fmt::format("{} ({}{})", model.preset.name, without_home(where), random);
}

/// What the results say about this process. `settings`: with the reduction that all variants build on.
StudyRun describe_run(const StudyRequest& asked, const Request& request, const Settings& settings, at::Device device) {
  const Machine machine = describe_machine(device, GpuMonitor(device));
  return {.date = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))),
          .program = software_text(machine),
          .machine = hardware_text(machine),
          .device = fmt::format("{}, {}", machine.device, choice_name(request.setup.precision)),
          .model = model_text(request.setup.model),
          .settings = settings_line(request, settings.config),
          .prompts = asked.world > 0 ? fmt::format("{} held-out captions of the embedded model's world", asked.world)
                                     : without_home(asked.prompts),
          .seed = fmt::format("{}", seed_of(asked)),
          .command = study_line(asked, settings),
          .all_settings = config_json(without_home(settings.config))};
}

void check_variants(const std::vector<StudyVariant>& variants, const Schedule& schedule,
                    const Repetitions& repetitions) {
  for (const StudyVariant& variant : variants) {
    try {
      const ReductionGate checked(variant.reduction, schedule, repetitions.with_last(variant.last_repetitions));
    } catch (const Error& error) {
      fail(error.kind(), fmt::format("variant {}: {}", variant.name, error.what()), error.hint());
    }
  }
}

}  // namespace

int run_reduction_study(const StudyRequest& asked,
                        const std::function<std::unique_ptr<Progress>(const RuntimeConfig&)>& make_progress) {
  check_request(asked);
  const Shard shard = choose_shard(asked.shard);
  ResolvedSettings resolved = resolve_settings(asked.settings);
  const Settings base = take_reduction(resolved.settings);
  const std::filesystem::path study_file = file_or_preset(asked.study);
  if (study_file.empty()) fail(ErrorKind::usage, fmt::format("--study {}: no such file", asked.study));
  const StudyFile file = read_study_file(study_file, base);
  const Request request = make_shared_request(Task::text_to_video, resolved);
  const Config& config = resolved.settings.config;
  const Schedule& schedule = request.schedule;
  const Repetitions& repetitions = request.generation.repetitions;
  StudyJob study{.folder = asked.out,
                 .shard = shard,
                 .prompts = {},
                 .variants = pick_variants(file.variants, asked.variants),
                 .controls = asked.no_controls ? Controls::leave_out : file.controls,
                 .run = {}};
  check_variants(study.variants, schedule, repetitions);
  log::set_quiet(config.runtime.quiet);
  log::info("model: {}", describe_model(request.setup.model));
  log::info("device: {}, {}", request.setup.device, choice_name(request.setup.precision));

  const c10::InferenceMode inference;
  Model loaded(request.setup, Residency::everything);
  const HeldOutClips clips(loaded.device(), file.world, HeldOutSet::study);
  study.prompts = choose_prompts(asked, clips, config);
  log::info("prompts: {}, variants: {}", study.prompts.size(),
            control_variants(study.controls).size() + study.variants.size());
  Settings described{config, base.origins};
  described.config.reduction = base.config.reduction;
  described.config.guidance.reuse = base.config.guidance.reuse;
  study.run = describe_run(asked, request, described, loaded.device());
  const std::optional<AttributeChecker> checker =
      shows_world(request) ? std::optional(AttributeChecker()) : std::nullopt;
  const Pipeline pipeline(loaded);
  const EvaluatedModel evaluated = evaluated_model(
      pipeline, request, [&](const std::string& prompt) { return pipeline.encode_text(prompt, request.text_limit); });
  StudyModel model{.evaluated = evaluated,
                   .schedule = schedule,
                   .others = {},
                   .world = checker ? &clips : nullptr,
                   .checker = checker ? &*checker : nullptr,
                   .setup = setup_hash(loaded, config, asked)};
  std::map<Precision, PrecisionModel> others;
  for (const StudyVariant& variant : study.variants) {
    if (!variant.precision) continue;
    const auto [other, is_new] = others.try_emplace(*variant.precision, request.setup, *variant.precision);
    if (is_new) model.others[*variant.precision] = &other->second.pipeline;
  }
  const auto progress = make_progress(config.runtime);
  run_study(model, study, *progress);
  return shard.count;
}

}  // namespace faststar
