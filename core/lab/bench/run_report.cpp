#include "core/lab/bench/run_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "core/base/tensor.h"

namespace faststar {
namespace {

using Json = nlohmann::ordered_json;

/// A larger spread of the totals is worth a warning.
constexpr double kLargeSpread = 0.05;

/// One variant and what was measured of it.
struct Measured {
  const BenchVariant& variant;
  const VariantRuns& runs;
  const Ceilings& ceilings;

  const Workload& work() const { return variant.plan.work; }

  Samples samples(const std::function<double(const BenchRun&)>& quantity) const { return runs.samples(quantity); }
  double video_seconds() const {
    constexpr double kFps = 16;
    return static_cast<double>(variant.plan.request.size.frames) / kFps;
  }
};

/// Adds FLOP/s and their share of the ceiling to a row that took `seconds`.
void add_rate(Json& row, double flop, double seconds, const Ceilings& ceilings) {
  if (flop <= 0 || seconds <= 0) return;
  row["flop"] = flop;
  row["flops"] = flop / seconds;
  row["ceiling_share"] = flop / seconds / ceilings.product_flops;
}

Json timed_row(const std::string& stage, const Samples& seconds) {
  Json row = {{"stage", stage}, {"seconds", to_json(seconds)}};
  row["seconds"]["spread"] = seconds.spread();
  return row;
}

/// All passes of a scale.
Json scale_row(const Measured& measured, int scale, const std::vector<Step>& passes) {
  const Workload& work = measured.work();
  const Scale& grid = work.schedule.scales()[static_cast<size_t>(scale)];
  int64_t computed = 0, least_rows = 0, most_rows = 0;
  double linear = 0, attention = 0;
  for (const Step& step : passes) {
    const int64_t rows = work.guidance_rows.of(step);
    least_rows = least_rows == 0 ? rows : std::min(least_rows, rows);
    most_rows = std::max(most_rows, rows);
    computed += tokens_of(work, step);
    linear += linear_flops(work, step);
    attention += attention_flops(work, step);
  }
  const Samples seconds = measured.samples([&](const BenchRun& run) {
    double sum = 0;
    for (const Step& step : passes) sum += run.steps[static_cast<size_t>(step.index)];
    return sum;
  });
  Json row = timed_row(fmt::format("scale {}", scale), seconds);
  row["clip"] = passes.front().clip;
  row["scale"] = scale;
  row["grid"] = fmt::format("{}x{}x{}", grid.t, grid.h, grid.w);
  row["passes"] = passes.size();
  row["tokens"] = grid.tokens() * static_cast<int64_t>(passes.size());
  row["computed"] = computed;
  row["rows"] = least_rows == most_rows ? fmt::format("{}", most_rows) : fmt::format("{}-{}", least_rows, most_rows);
  row["linear_flop"] = linear;
  row["attention_flop"] = attention;
  add_rate(row, linear + attention, seconds.median(), measured.ceilings);
  return row;
}

std::vector<Json> scale_rows(const Measured& measured) {
  std::vector<std::vector<Step>> by_scale(measured.work().schedule.scales().size());
  for (const Step& step : steps_to_run(measured.work())) by_scale[static_cast<size_t>(step.scale)].push_back(step);
  std::vector<Json> rows;
  for (size_t scale = 0; scale < by_scale.size(); ++scale) {
    if (!by_scale[scale].empty()) rows.push_back(scale_row(measured, static_cast<int>(scale), by_scale[scale]));
  }
  return rows;
}

/// From prompt to file; the rows add up to the last one, run by run.
std::vector<Json> stage_rows(const Measured& measured) {
  const auto row = [&](const char* stage, const std::function<double(const BenchRun&)>& quantity) {
    return timed_row(stage, measured.samples(quantity));
  };
  std::vector<Json> rows = {row("text", [](const BenchRun& run) { return run.text; })};
  for (Json& scale : scale_rows(measured)) rows.push_back(std::move(scale));
  Json decode = row("decode", [](const BenchRun& run) { return run.decode; });
  const Workload& work = measured.work();
  add_rate(decode, decode_flops(work.vae, shape_of(work, frames_of_latents(work.decoded_latents))),
           decode["seconds"]["median"].get<double>(), measured.ceilings);
  rows.push_back(std::move(decode));
  rows.push_back(row("file", [](const BenchRun& run) { return run.file; }));
  rows.push_back(row("rest", [](const BenchRun& run) { return run.rest(); }));
  rows.push_back(row("total", [](const BenchRun& run) { return run.total; }));
  return rows;
}

Json parts_row(const Measured& measured) {
  PartTimes all;
  for (const PartTimes& step : measured.runs.parts) all += step;
  Json row = {{"variant", measured.variant.name}};
  constexpr double kMilli = 1e-3;
  for (size_t part = 0; part < all.ms.size(); ++part) {
    const bool is_shown = part < kLonePassParts || measured.variant.group->size() > 1;
    if (is_shown) row["seconds"][kPassPartNames[part]] = all.ms[part] * kMilli;
  }
  row["seconds"]["all"] = all.total() * kMilli;
  double linear = 0, attention = 0;
  for (const Step& step : steps_to_run(measured.work())) {
    linear += linear_flops(measured.work(), step);
    attention += attention_flops(measured.work(), step);
  }
  add_rate(row["linear"], linear, all[PassPart::linear] * kMilli, measured.ceilings);
  add_rate(row["attention"], attention, all[PassPart::attention] * kMilli, measured.ceilings);
  return row;
}

Json run_json(const BenchRun& run) {
  return {
      {"warm_up", run.warm_up},
      {"seconds",
       {{"text", run.text}, {"tokens", run.tokens}, {"decode", run.decode}, {"file", run.file}, {"total", run.total}}},
      {"step_seconds", run.steps},
      {"peak_bytes", run.peak_bytes},
      {"gpu", to_json(run.use)}};
}

/// The row of the table over all variants.
Json variant_row(const Measured& measured, const Measured& first) {
  const auto total = [](const BenchRun& run) { return run.total; };
  const auto tokens = [](const BenchRun& run) { return run.tokens; };
  const Samples seconds = measured.samples(total);
  Json row = {{"variant", measured.variant.name}};
  row["seconds"]["text"] = measured.samples([](const BenchRun& run) { return run.text; }).median();
  row["seconds"]["tokens"] = measured.samples(tokens).median();
  row["seconds"]["decode"] = measured.samples([](const BenchRun& run) { return run.decode; }).median();
  row["seconds"]["file"] = measured.samples([](const BenchRun& run) { return run.file; }).median();
  row["seconds"]["total"] = seconds.median();
  row["spread"] = seconds.spread();
  row["seconds_per_video_second"] = seconds.median() / measured.video_seconds();
  row["speed_up"] = first.samples(total).median() / seconds.median();
  row["tokens_speed_up"] = first.samples(tokens).median() / measured.samples(tokens).median();
  row["peak_bytes"] = measured.samples([](const BenchRun& run) { return static_cast<double>(run.peak_bytes); }).max();
  const bool read = std::ranges::all_of(measured.runs.runs, [](const BenchRun& run) { return run.use.samples > 0; });
  if (!read) return row;
  row["gpu"]["watts"] = measured.samples([](const BenchRun& run) { return run.use.watts; }).median();
  row["gpu"]["sm_mhz"] = measured.samples([](const BenchRun& run) { return run.use.sm_mhz; }).median();
  row["gpu"]["limited_share"] = measured.samples([](const BenchRun& run) { return run.use.limited; }).median();
  row["gpu"]["joules"] = measured.samples([](const BenchRun& run) { return run.use.joules; }).median();
  return row;
}

Json variant_json(const Measured& measured, const Measured& first) {
  const Request& request = measured.variant.plan.request;
  Json json = variant_row(measured, first);
  json["video"] = {{"width", request.size.width},
                   {"height", request.size.height},
                   {"frames", request.size.frames},
                   {"seconds", measured.video_seconds()},
                   {"bytes", measured.runs.file_bytes}};
  json["text_tokens"] = measured.work().text_tokens;
  json["stages"] = stage_rows(measured);
  json["parts"] = parts_row(measured);
  for (const BenchRun& run : measured.runs.runs) json["runs"].push_back(run_json(run));
  return json;
}

BenchTable variants_table(const std::vector<Json>& rows) {
  return {
      .title = "From prompt to file, medians",
      .columns = {{"variant", "variant"},
                  {"text s", "seconds/text", 1, 2},
                  {"tokens s", "seconds/tokens", 1, 2},
                  {"decode s", "seconds/decode", 1, 2},
                  {"file s", "seconds/file", 1, 2},
                  {"total s", "seconds/total", 1, 2},
                  {"± %", "spread", kInPercent, 1},
                  {"per video s", "seconds_per_video_second", 1, 2},
                  {"speed-up", "speed_up", 1, 2},
                  {"peak GB", "peak_bytes", kInGiga, 1},
                  {"W", "gpu/watts", 1, 0},
                  {"MHz", "gpu/sm_mhz", 1, 0},
                  {"limited %", "gpu/limited_share", kInPercent, 0},
                  {"kJ a clip", "gpu/joules", 1e-3, 2}},
      .rows = rows,
      .footnotes = {"±: half of the largest minus the smallest, as a share of the median. decode: until the last "
                    "frame is decoded, while frames are encoded; file: from then on. peak: of the GPU's tensors, or "
                    "on the CPU of the process."}};
}

BenchTable parts_table(const std::vector<Json>& rows, const FlopUnit& unit) {
  const std::string rate = fmt::format("{}/s", unit.name);
  return {.title = "Parts of the passes, one more run each",
          .columns = {{"variant", "variant"},
                      {"linear s", "seconds/linear", 1, 2},
                      {"attention s", "seconds/attention", 1, 2},
                      {"reduction s", "seconds/reduction", 1, 3},
                      {"sampling s", "seconds/sampling", 1, 3},
                      {"rest s", "seconds/rest", 1, 2},
                      {"exchange s", "seconds/exchange", 1, 3},
                      {"all s", "seconds/all", 1, 2},
                      {"linear " + rate, "linear/flops", unit.scale, 1},
                      {"of ceiling %", "linear/ceiling_share", kInPercent, 0},
                      {"attention " + rate, "attention/flops", unit.scale, 1},
                      {"of ceiling %", "attention/ceiling_share", kInPercent, 0}},
          .rows = rows,
          .footnotes = {"Timing the parts costs some time itself; whole passes are in the tables of the stages."}};
}

BenchTable stages_table(const std::string& name, const std::vector<Json>& rows, const FlopUnit& unit) {
  return {.title = fmt::format("{}: stages", name),
          .columns = {{"stage", "stage"},
                      {"grid", "grid"},
                      {"passes", "passes"},
                      {"tokens", "tokens"},
                      {"computed", "computed"},
                      {"rows", "rows"},
                      {unit.name, "flop", unit.scale, 2},
                      {"ms", "seconds/median", kInMilliseconds, 1},
                      {"± %", "seconds/spread", kInPercent, 1},
                      {fmt::format("{}/s", unit.name), "flops", unit.scale, 1},
                      {"of ceiling %", "ceiling_share", kInPercent, 0}},
          .rows = rows,
          .footnotes = {"tokens, computed: of all passes, one guidance row. rows: of the guidance batch. FLOP: linear "
                        "layers and attention of all rows; of the decode its convolutions. rest: the text's pass and "
                        "what lies between the stages."}};
}

/// How much faster several devices are than one, stage by stage.
BenchTable sharing_table(const Measured& one, const Measured& all) {
  const int devices = all.variant.group->size();
  const std::vector<Json> alone = stage_rows(one), shared = stage_rows(all);
  std::vector<Json> rows;
  for (size_t i = 0; i < alone.size(); ++i) {
    Json row = {{"stage", alone[i]["stage"]}, {"one", alone[i]["seconds"]["median"]}};
    row["all"] = shared[i]["seconds"]["median"];
    const double seconds = row["all"].get<double>();
    if (seconds > 0) row["speed_up"] = row["one"].get<double>() / seconds;
    if (seconds > 0) row["efficiency"] = row["one"].get<double>() / seconds / devices;
    rows.push_back(std::move(row));
  }
  return {.key = "sharing",
          .title = fmt::format("{}: each stage, one device against {}", all.variant.name, devices),
          .columns = {{"stage", "stage"},
                      {"one ms", "one", kInMilliseconds, 1},
                      {"all ms", "all", kInMilliseconds, 1},
                      {"speed-up", "speed_up", 1, 2},
                      {"efficiency %", "efficiency", kInPercent, 0}},
          .rows = rows,
          .footnotes = {"efficiency: speed-up as a share of the devices. What the devices tell each other, and waiting "
                        "for it, is `exchange` in the table of the parts."}};
}

std::string ceilings_line(const Ceilings& ceilings) {
  const FlopUnit unit = flop_unit(ceilings.product_flops);
  return fmt::format("ceilings: copy {:.0f} GB/s, {} product of {} x {} matrices {:.1f} {}/s",
                     ceilings.copied_bytes * kInGiga, dtype_text(ceilings.dtype), ceilings.product_size,
                     ceilings.product_size, ceilings.product_flops * unit.scale, unit.name);
}

}  // namespace

BenchContext bench_context(at::Device device, at::ScalarType dtype, const GpuMonitor& monitor) {
  // The load first: measuring the ceilings adds to it.
  BenchContext context{.machine = describe_machine(device, monitor),
                       .unread = monitor.absent(),
                       .other_processes = monitor.other_processes()};
  context.ceilings = measure_ceilings(device, dtype);
  return context;
}

BenchReport begin_report(const BenchContext& context) {
  const Ceilings& ceilings = context.ceilings;
  BenchReport report;
  report.facts["machine"] = to_json(context.machine);
  report.facts["ceilings"] = {{"copied_bytes_per_second", ceilings.copied_bytes},
                              {"product_flops", ceilings.product_flops},
                              {"product_size", ceilings.product_size},
                              {"dtype", dtype_text(ceilings.dtype)}};
  report.lines = {machine_line(context.machine), ceilings_line(ceilings)};
  if (!context.unread.empty()) report.lines.push_back("power: " + context.unread);
  if (context.machine.load >= 1) {
    report.warnings.push_back(
        fmt::format("the load average was {:.1f} before the first run: other programs use the CPU's {} cores",
                    context.machine.load, context.machine.cores));
  }
  if (context.other_processes > 0) {
    report.warnings.push_back(fmt::format("{} other processes use the GPU", context.other_processes));
  }
  return report;
}

BenchReport report_runs(const std::vector<BenchVariant>& variants, const std::vector<VariantRuns>& results,
                        const BenchContext& context) {
  BenchReport report = begin_report(context);
  std::vector<Measured> measured;
  for (size_t i = 0; i < variants.size(); ++i) measured.push_back({variants[i], results[i], context.ceilings});
  const FlopUnit unit = flop_unit(context.ceilings.product_flops);
  std::vector<Json> rows, parts;
  std::vector<BenchTable> stages;
  for (const Measured& one : measured) {
    rows.push_back(variant_row(one, measured.front()));
    parts.push_back(parts_row(one));
    stages.push_back(stages_table(one.variant.name, stage_rows(one), unit));
    report.facts["variants"].push_back(variant_json(one, measured.front()));
    const double spread = rows.back()["spread"].get<double>();
    if (spread <= kLargeSpread) continue;
    report.warnings.push_back(fmt::format("{}: the totals spread by ±{:.0f} %: the machine may be busy",
                                          one.variant.name, spread * kInPercent));
  }
  report.tables = {variants_table(rows), parts_table(parts, unit)};
  for (size_t i = 1; i < measured.size(); ++i) {
    if (variants[i].group->size() > 1) report.tables.push_back(sharing_table(measured[i - 1], measured[i]));
  }
  report.tables.insert(report.tables.end(), stages.begin(), stages.end());
  return report;
}

}  // namespace faststar
