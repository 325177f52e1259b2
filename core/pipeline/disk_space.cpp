#include "core/pipeline/disk_space.h"

#include <fmt/format.h>

#include <map>

#include "core/base/error.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

// Bytes a pixel: a still scene in H.264, ffv1 and PNG.
constexpr double kH264 = 0.002;
constexpr double kLossless = 0.1;

/// By folder.
std::map<fs::path, double> least_bytes(const GenerateJob& job) {
  const double pixels_a_frame = static_cast<double>(job.size.height) * static_cast<double>(job.size.width);
  const double pixels = pixels_a_frame * static_cast<double>(frames_shown(job));
  const double codes = pixels_a_frame * job.size.latent_frames;  // 64 floats for 16 x 16 pixels
  std::map<fs::path, double> bytes;
  const auto add = [&](const fs::path& file, double count) {
    if (!file.empty()) bytes[fs::absolute(file).parent_path()] += count;
  };
  for (const JobOutput& output : job.outputs) {
    add(output.file, pixels * (job.encoding.lossless ? kLossless : kH264));
    if (output.frames_dir) add(*output.frames_dir, pixels * kLossless);
    if (output.codes) add(*output.codes, codes);
  }
  return bytes;
}

}  // namespace

void check_disk_space(const GenerateJob& job) {
  constexpr double kKilobyte = 1e3;
  for (const auto& [folder, needed] : least_bytes(job)) {
    std::error_code unknown;  // then writing tells
    const auto available = static_cast<double>(fs::space(folder, unknown).available);
    if (unknown || available >= needed) continue;
    fail(ErrorKind::output,
         fmt::format("{}: the disk is full: at least {:.0f} kB needed, {:.0f} kB free", folder.string(),
                     needed / kKilobyte, available / kKilobyte),
         "-o names a file on another disk");
  }
}

}  // namespace faststar
