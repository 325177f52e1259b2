#pragma once
#include "core/config/generate.h"
#include "core/config/output.h"
#include "core/config/reduction.h"
#include "core/config/runtime.h"

namespace faststar {

/// Every setting of the making commands, by YAML section.
struct Config {
  ModelConfig model;
  GenerateConfig generate;
  PromptConfig prompt;
  GuidanceConfig guidance;
  SamplingConfig sampling;
  ScheduleConfig schedule;
  ReductionConfig reduction;
  OutputConfig output;
  RuntimeConfig runtime;
};

/// Calls visit(section name, section) in the order of the files we write. "a.b" is the section b inside a and follows
/// it.
template <FieldsOf<Config> Self, typename Visitor>
void visit_sections(Self& c, Visitor&& visit) {
  visit("model", c.model);
  visit("generate", c.generate);
  visit("prompt", c.prompt);
  visit("guidance", c.guidance);
  visit("sampling", c.sampling);
  visit("schedule", c.schedule);
  visit_reduction_sections(c.reduction, visit);
  visit("output", c.output);
  visit("runtime", c.runtime);
}

/// Calls visit(section name, field, member) for every setting.
template <FieldsOf<Config> Self, typename Visitor>
void visit_config(Self& config, Visitor&& visit) {
  visit_sections(config, [&](std::string_view section, auto& fields) {
    visit_fields(fields, [&](const Field& field, auto& member) { visit(section, field, member); });
  });
}

}  // namespace faststar
