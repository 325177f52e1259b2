#include "cli/compare_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/media/metadata.h"

namespace faststar {
namespace {

/// One number of a frame, larger is worse.
using Badness = std::function<double(const FrameFidelity&)>;

struct Worst {
  int64_t number = 0;  // in the file
  const FrameFidelity& frame;
};

Worst worst_frame(const ComparedFrames& compared, const Badness& badness) {
  const auto& frames = compared.frames;
  const auto worst = std::max_element(frames.begin(), frames.end(),
                                      [&badness](const auto& a, const auto& b) { return badness(a) < badness(b); });
  return {compared.first + (worst - frames.begin()), *worst};
}

std::string decibels(const std::optional<double>& psnr) { return psnr ? fmt::format("{:.2f} dB", *psnr) : "infinite"; }

std::string row(const char* metric, const std::string& mean, const std::string& worst) {
  return fmt::format("{:<12} {:<12} {}\n", metric, mean, worst);
}

std::string psnr_rows(const ComparedFrames& compared, const PsnrSummary& psnr) {
  if (!psnr.mean) return row("PSNR", "infinite", "all frames are identical");
  const Worst worst = worst_frame(compared, [](const FrameFidelity& frame) { return frame.mse; });
  return row("PSNR pooled", decibels(psnr.pooled), "MSE averaged over all frames") +
         row("PSNR mean", decibels(psnr.mean),
             fmt::format("worst {} at frame {}", decibels(faststar::psnr(worst.frame.mse)), worst.number));
}

std::string ssim_row(const ComparedFrames& compared, double mean) {
  const Worst worst = worst_frame(compared, [](const FrameFidelity& frame) { return -frame.ssim; });
  return row("SSIM mean", fmt::format("{:.4f}", mean),
             fmt::format("worst {:.4f} at frame {}", worst.frame.ssim, worst.number));
}

std::string lpips_row(const ComparedFrames& compared, const std::optional<double>& mean) {
  if (!mean) return row("LPIPS mean", "n/a", "needs --lpips-backbone and --lpips-linear");
  const Worst worst = worst_frame(compared, [](const FrameFidelity& frame) { return frame.lpips.value_or(0); });
  return row("LPIPS mean", fmt::format("{:.4f}", *mean),
             fmt::format("worst {:.4f} at frame {}", worst.frame.lpips.value_or(0), worst.number));
}

std::string head_line(const ComparedFrames& compared, const PsnrSummary& psnr) {
  const std::string from = compared.first > 0 ? fmt::format(" from frame {}", compared.first) : "";
  const std::string identical =
      psnr.identical_frames > 0 ? fmt::format(", {} identical (not in the mean PSNR)", psnr.identical_frames) : "";
  return fmt::format("{} frame{}{}, {}x{}{}\n", psnr.frames, psnr.frames == 1 ? "" : "s", from, compared.size.width,
                     compared.size.height, identical);
}

/// Seconds of the transformer passes, as recorded in a file made by faststar.
std::optional<double> token_seconds(const std::filesystem::path& file) {
  const auto provenance = read_provenance(file);
  if (!provenance || provenance->run_json.empty()) return std::nullopt;
  const auto run = nlohmann::json::parse(provenance->run_json);
  const nlohmann::json::json_pointer tokens("/seconds/tokens");
  if (!run.contains(tokens) || !run[tokens].is_number()) return std::nullopt;
  return run[tokens].get<double>();
}

}  // namespace

std::string time_row(const std::filesystem::path& a, const std::filesystem::path& b) {
  const auto of_a = token_seconds(a), of_b = token_seconds(b);
  if (!of_a || !of_b || *of_b <= 0) return "";
  return row("transformer", fmt::format("{:.1f} s", *of_a),
             fmt::format("{:.1f} s, {:.2f}x as fast", *of_b, *of_a / *of_b));
}

std::string fidelity_csv(const ComparedFrames& compared) {
  std::string csv = "frame,psnr,ssim,lpips\n";
  int64_t number = compared.first;
  for (const FrameFidelity& frame : compared.frames) {
    csv += fmt::format("{},{:.6f},{:.6f},{}\n", number++, psnr(frame.mse), frame.ssim,
                       frame.lpips ? fmt::format("{:.6f}", *frame.lpips) : "");
  }
  return csv;
}

std::string fidelity_table(const ComparedFrames& compared) {
  const VideoFidelity fidelity = summarize_fidelity(compared.frames);
  return head_line(compared, fidelity.psnr) + psnr_rows(compared, fidelity.psnr) +
         ssim_row(compared, fidelity.ssim_mean) + lpips_row(compared, fidelity.lpips_mean);
}

}  // namespace faststar
