#include "core/lab/verify/verify.h"

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/devices.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "cli/workers.h"
#include "core/base/device.h"
#include "core/base/error.h"
#include "core/base/log.h"

namespace faststar {
namespace {

struct VerifyCommand {
  std::string folder;
  std::string device;
  std::string devices;
  std::string precision = "fp32";
  std::string attention = "auto";
  bool json = false;
};

std::string describe(const ComponentResult& result) {
  if (result.verdict == Verdict::absent) return fmt::format("{:<17} absent", result.name);
  std::string line = fmt::format("{:<17} {}  {} values, ", result.name,
                                 result.verdict == Verdict::pass ? "pass" : "FAIL", result.elements);
  line += result.judged_by_norm ? fmt::format("error {:.1e} of the norm", result.norm_rel)
                                : fmt::format("largest error {:.1e}", result.max_rel);
  if (result.tolerance > 0) line += fmt::format(" (allowed {:.1e})", result.tolerance);
  if (result.bits > 0) line += fmt::format(", {} of {} bits differ", result.bits_differing, result.bits);
  if (result.reference_max_rel) line += fmt::format(", ATen path {:.1e}", *result.reference_max_rel);
  return line;
}

int run_verify(const CLI::App& app, const VerifyCommand& command) {
  const auto precision = parse_choice<Precision>("--precision", command.precision);
  FieldTexts flags;
  if (!command.device.empty()) flags["device"] = command.device;
  const std::vector<std::string> devices = choose_devices(command.devices, flags);
  if (!devices.empty()) {
    return run_together(
        {.words = given_words(app, {"--devices", "--device"}), .devices = devices, .style = ProgressStyle::none});
  }
  const std::string device = flags["device"];
  const VerifyOptions options{.device = pick_device(device),
                              .dtype = dtype_of(precision),
                              .linears = precision == Precision::fp8 ? LinearPrecision::fp8 : LinearPrecision::backbone,
                              .attention = parse_choice<AttentionBackend>("--attention", command.attention),
                              .group = join_group(device)};
  if (const auto obstacle = attention_obstacle(options.attention, options.device, options.dtype)) {
    fail(ErrorKind::device, fmt::format("--attention {}: {}", command.attention, obstacle->message), obstacle->hint);
  }
  const VerifyReport report = verify_fixture_set(command.folder, options, [](const ComponentResult& result) {
    log::info("{}", describe(result));
    if (!result.reason.empty()) log::info("    {}", result.reason);
  });
  print_result(command.json ? to_json(report) + "\n" : fmt::format("{}\n", report.passed ? "passed" : "failed"));
  options.group->leave();
  return report.passed || !options.group->is_first() ? 0 : 1;
}

}  // namespace

Command add_verify(CLI::App& app) {
  CLI::App* command = app.add_subcommand("verify", "compare numerics with the official implementation");
  const auto options = std::make_shared<VerifyCommand>();
  command->add_option("folder", options->folder, "folder with a fixture set")->required();
  add_command_option(*command, "device", options->device, "NAME", "cpu, cuda or cuda:N");
  add_command_option(*command, "devices", options->devices, "LIST", "several GPUs together: 0,1");
  add_command_option(*command, "precision", options->precision, "NAME", "fp32 (the default), bf16 or fp8");
  add_command_option(*command, "attention", options->attention, "NAME", "auto, fa3, cudnn or aten");
  add_command_option(*command, "json", options->json, "", "print the report as JSON");
  return {command, [command, options] { return run_verify(*command, *options); }};
}

}  // namespace faststar
