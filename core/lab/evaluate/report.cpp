#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/lab/evaluate/evaluation.h"

namespace faststar {
namespace {

using Json = nlohmann::ordered_json;

Json fidelity_json(const ClipFidelity& fidelity) {
  return {{"psnr", fidelity.psnr}, {"object_psnr", fidelity.object_psnr}, {"ssim", fidelity.ssim}};
}

Json rates_json(const NamedRates& row) {
  Json json = {{"name", row.name},           {"clips", row.rates.clips},   {"background", row.rates.background},
               {"camera", row.rates.camera}, {"count", row.rates.count},   {"colour", row.rates.colour},
               {"shape", row.rates.shape},   {"motion", row.rates.motion}, {"all", row.rates.all},
               {"steady", row.rates.steady}, {"misses", Json::array()}};
  for (const AttributeMiss& miss : row.rates.misses) {
    json["misses"].push_back({{"prompt", miss.prompt}, {"asked", miss.asked}, {"seen", miss.seen}});
  }
  return json;
}

Json bits_json(const ScaleScore& score) {
  return {{"clip", score.clip},
          {"scale", fmt::format("{}x{}", score.scale.h, score.scale.w)},
          {"accuracy", score.accuracy},
          {"nats", score.nats}};
}

std::string fidelity_row(const Reconstruction& result, const char* name, const ClipFidelity& fidelity) {
  return fmt::format("| {} frames, {} clips, {} | {:.2f} | {:.2f} | {:.4f} |\n", result.frames, result.clips, name,
                     fidelity.psnr, fidelity.object_psnr, fidelity.ssim);
}

std::string reconstruction_table(const std::vector<Reconstruction>& results) {
  std::string text = "| VAE, held-out clips | PSNR dB | on objects | SSIM |\n|---|---|---|---|\n";
  for (const Reconstruction& result : results) {
    text += fidelity_row(result, "plain", result.plain) + fidelity_row(result, "quantised", result.quantised);
  }
  return text;
}

/// PSNR over time: of frame 0, then of groups of eight frames.
std::string drift_lines(const std::vector<Reconstruction>& results) {
  constexpr size_t kGroup = 8;
  std::string text;
  for (const Reconstruction& result : results) {
    text += fmt::format("\nQuantised, {} frames: frame 0 {:.1f} dB", result.frames, result.frame_psnr[0]);
    for (size_t begin = 1; begin + kGroup <= result.frame_psnr.size(); begin += kGroup) {
      double sum = 0;
      for (size_t i = begin; i < begin + kGroup; ++i) sum += result.frame_psnr[i];
      text += fmt::format(", {}-{} {:.1f}", begin, begin + kGroup - 1, sum / kGroup);
    }
    text += ".\n";
  }
  return text;
}

const char* clip_name(int clip) { return clip == 0 ? "image" : clip == 1 ? "first video clip" : "second video clip"; }

std::string bits_table(const std::vector<ScaleScore>& scores) {
  std::string head = "| bits predicted |", rule = "|---|";
  std::vector<std::string> rows;
  for (const ScaleScore& score : scores) {
    if (score.clip == 0) {
      head += fmt::format(" {}x{} |", score.scale.h, score.scale.w);
      rule += "---|";
    }
    if (static_cast<size_t>(score.clip) == rows.size()) rows.push_back(fmt::format("| {} |", clip_name(score.clip)));
    rows.back() += fmt::format(" {:.3f} |", score.accuracy);
  }
  std::string text = fmt::format("{}\n{}\n", head, rule);
  for (const std::string& row : rows) text += row + "\n";
  return text;
}

std::string rates_table(const char* title, const std::vector<NamedRates>& rows) {
  std::string text = fmt::format(
      "| {} | clips | background | camera | count | colour | shape | motion | all correct | count steady |\n"
      "|---|---|---|---|---|---|---|---|---|---|\n",
      title);
  for (const NamedRates& row : rows) {
    const AttributeRates& r = row.rates;
    text +=
        fmt::format("| {} | {} | {:.3f} | {:.3f} | {:.3f} | {:.3f} | {:.3f} | {:.3f} | {:.3f} | {:.3f} |\n", row.name,
                    r.clips, r.background, r.camera, r.count, r.colour, r.shape, r.motion, r.all, r.steady);
  }
  return text;
}

std::string continuation_line(const ClipFidelity& fidelity) {
  return fmt::format("Continuations against the true clips: {:.2f} dB, {:.2f} on objects, SSIM {:.4f}.\n",
                     fidelity.psnr, fidelity.object_psnr, fidelity.ssim);
}

}  // namespace

std::string evaluation_json(const Evaluation& evaluation) {
  Json json = {{"reconstruction", Json::array()},
               {"bits", Json::array()},
               {"attributes", Json::array()},
               {"checker", Json::array()}};
  for (const Reconstruction& result : evaluation.reconstructions) {
    json["reconstruction"].push_back({{"clips", result.clips},
                                      {"frames", result.frames},
                                      {"plain", fidelity_json(result.plain)},
                                      {"quantised", fidelity_json(result.quantised)},
                                      {"frame_psnr", result.frame_psnr}});
  }
  for (const ScaleScore& score : evaluation.bits) json["bits"].push_back(bits_json(score));
  for (const NamedRates& row : evaluation.attributes) json["attributes"].push_back(rates_json(row));
  if (evaluation.continuation) json["continuation"] = fidelity_json(*evaluation.continuation);
  for (const NamedRates& row : evaluation.checker) json["checker"].push_back(rates_json(row));
  return json.dump(2) + "\n";
}

std::string evaluation_markdown(const Evaluation& evaluation) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : "\n") + part; };
  if (!evaluation.reconstructions.empty()) {
    add(reconstruction_table(evaluation.reconstructions) + drift_lines(evaluation.reconstructions));
  }
  if (!evaluation.bits.empty()) add(bits_table(evaluation.bits));
  if (!evaluation.attributes.empty()) add(rates_table("held-out prompts", evaluation.attributes));
  if (evaluation.continuation) add(continuation_line(*evaluation.continuation));
  if (!evaluation.checker.empty()) add(rates_table("checker on rendered clips", evaluation.checker));
  return text;
}

}  // namespace faststar
