#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/commands.h"
#include "cli/compare_report.h"
#include "cli/options/command_option.h"
#include "cli/progress/result.h"
#include "core/base/atomic_file.h"
#include "core/base/device.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/weights/weights.h"
#include "core/lab/metrics/lpips.h"
#include "core/media/frame_source.h"
#include "core/media/image.h"
#include "core/media/resize.h"
#include "core/media/video_writer.h"
#include "core/pipeline/outputs.h"

namespace faststar {
namespace {

struct CompareCommand {
  std::string a, b;
  int64_t skip = 0;
  bool json = false;
  std::string csv, side_by_side;
  bool overwrite = false;
  std::string lpips_backbone, lpips_linear;
  std::string device;

  Existing existing() const { return overwrite ? Existing::replace : Existing::refuse; }
};

/// Two files to compare frame by frame.
struct Pair {
  explicit Pair(const CompareCommand& command) : a(command.a), b(command.b) {}
  bool are_pictures() const { return !a.fps() && !b.fps(); }
  FrameSource a, b;
};

void check_pair(const CompareCommand& command, const Pair& pair) {
  const PixelSize a = pair.a.size(), b = pair.b.size();
  if (a.width != b.width || a.height != b.height) {
    fail(ErrorKind::input, fmt::format("{}: expected frames of {}x{} as in {}, got {}x{}", command.b, a.width, a.height,
                                       command.a, b.width, b.height));
  }
  if (pair.a.frames() != pair.b.frames()) {
    fail(ErrorKind::input, fmt::format("{}: expected {} frames as in {}, got {}", command.b, pair.a.frames(), command.a,
                                       pair.b.frames()));
  }
  if (command.skip >= pair.a.frames()) {
    fail(ErrorKind::usage,
         fmt::format("--skip {}: expected less than the number of frames, {}", command.skip, pair.a.frames()));
  }
  if (pair.a.fps() && pair.b.fps() && *pair.a.fps() != *pair.b.fps()) {
    log::info("frame rates differ ({:g} and {:g} fps): frames are compared by number, not by time", *pair.a.fps(),
              *pair.b.fps());
  }
}

Weights open_lpips_weights(const char* flag, const std::string& path, at::Device device) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) fail(ErrorKind::model, fmt::format("{} {}: no such file", flag, path));
  return {open_checkpoint(path), device, at::kFloat};
}

std::optional<Lpips> open_lpips(const CompareCommand& command, at::Device device) {
  if (command.lpips_backbone.empty() && command.lpips_linear.empty()) return std::nullopt;
  if (command.lpips_backbone.empty() || command.lpips_linear.empty()) {
    fail(ErrorKind::usage, "LPIPS: expected both --lpips-backbone and --lpips-linear, got one of them");
  }
  const Weights backbone = open_lpips_weights("--lpips-backbone", command.lpips_backbone, device);
  return Lpips(backbone, open_lpips_weights("--lpips-linear", command.lpips_linear, device));
}

/// `--side-by-side`: a video of two videos, a picture of two pictures.
class SideBySideFile {
 public:
  SideBySideFile(const CompareCommand& command, const Pair& pair) : path_(command.side_by_side), command_(command) {
    if (pair.are_pictures()) {
      check_image_output(path_);
      return;
    }
    const PixelSize size = side_by_side_size(pair.a.size());
    const double fps = pair.a.fps().value_or(pair.b.fps().value_or(1));
    const VideoFormat format{.width = static_cast<int>(size.width),
                             .height = static_cast<int>(size.height),
                             .fps = std::max(1, static_cast<int>(std::lround(fps)))};
    video_ = std::make_unique<VideoWriter>(path_, format, VideoEncoding{}, VideoExtras{}, command.existing());
  }
  void write(const Tensor& a, const Tensor& b) {
    const Tensor both = side_by_side(a, b);
    if (video_) return video_->write(both.unsqueeze(0));
    write_image(path_, both, "", command_.existing());
  }
  void finish() {
    if (video_) video_->finish();
  }

 private:
  std::filesystem::path path_;
  const CompareCommand& command_;
  std::unique_ptr<VideoWriter> video_;
};

ComparedFrames measure(const CompareCommand& command, Pair& pair, const Lpips* lpips, at::Device device) {
  std::optional<SideBySideFile> beside;
  if (!command.side_by_side.empty()) beside.emplace(command, pair);
  ComparedFrames compared{.first = command.skip, .size = pair.a.size()};
  for (int64_t number = 0; number < pair.a.frames(); ++number) {
    const auto a = pair.a.next(), b = pair.b.next();
    if (!a || !b) {
      fail(ErrorKind::input,
           fmt::format("{}: ends after {} frames, expected {}", a ? command.b : command.a, number, pair.a.frames()));
    }
    if (beside) beside->write(*a, *b);
    if (number < command.skip) continue;
    const auto fidelity = measure_fidelity(a->unsqueeze(0).to(device), b->unsqueeze(0).to(device), lpips);
    compared.frames.push_back(fidelity.front());
  }
  if (beside) beside->finish();
  return compared;
}

void check_outputs(const CompareCommand& command) {
  for (const std::string& file : {command.csv, command.side_by_side}) {
    if (file.empty()) continue;
    check_writable(file, command.existing());
    spare_inputs({file}, {command.a, command.b});
  }
}

int run_compare(const CompareCommand& command) {
  if (command.skip < 0) fail(ErrorKind::usage, fmt::format("--skip {}: expected 0 or more", command.skip));
  check_outputs(command);
  Pair pair(command);
  check_pair(command, pair);
  set_up_backends();
  const at::Device device = pick_device(command.device);
  const auto lpips = open_lpips(command, device);
  const ComparedFrames compared = measure(command, pair, lpips ? &*lpips : nullptr, device);
  if (!command.csv.empty()) write_file(command.csv, fidelity_csv(compared), command.existing());
  print_result(command.json ? to_json(summarize_fidelity(compared.frames)) + "\n"
                            : fidelity_table(compared) + time_row(command.a, command.b));
  const bool starts_alike = command.skip == 0 && compared.frames.size() > 1 && compared.frames.front().mse == 0;
  if (starts_alike) log::info("frame 0 is identical in both files; --skip 1 leaves it out");
  return 0;
}

}  // namespace

Command add_compare(CLI::App& app) {
  CLI::App* command = app.add_subcommand("compare", "difference of two videos or pictures: PSNR, SSIM, LPIPS");
  const auto options = std::make_shared<CompareCommand>();
  command->add_option("A", options->a, "")->required();
  command->add_option("B", options->b, "")->required();
  add_command_option(*command, "skip", options->skip, {"N", "ignore the first N frames (0)"});
  add_command_option(*command, "json", options->json, {"", "print the result as JSON"});
  add_command_option(*command, "csv", options->csv, {"FILE", "write the values of every frame"});
  add_command_option(*command, "side_by_side", options->side_by_side, {"FILE", "write a file with A left, B right"});
  add_command_option(*command, "overwrite", options->overwrite, {"", "replace files that exist"});
  add_command_option(*command, "lpips_backbone", options->lpips_backbone, {"FILE", "torchvision's alexnet or vgg16"});
  add_command_option(*command, "lpips_linear", options->lpips_linear,
                     {"FILE", "the lpips package's alex.pth or vgg.pth"});
  add_command_option(*command, "device", options->device, {"NAME", "cpu, cuda or cuda:N"});
  return {command, [options] { return run_compare(*options); }};
}

}  // namespace faststar
