#include "core/lab/study/frame_strip.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/media/image.h"
#include "core/media/resize.h"

namespace faststar {
namespace {

constexpr int64_t kFramesShown = 4;
constexpr int64_t kStripHeight = 96;  ///< pixels

std::string note_of(const StudyRecord& record) {
  if (!record.from_dense) return "";
  if (record.from_dense->mse == 0) return "identical";
  return fmt::format("{:.1f} dB", psnr(record.from_dense->mse));
}

ShownPrompt shown_prompt(const std::vector<const StudyRecord*>& records) {
  const StudyRecord& first = *records.front();
  ShownPrompt shown{.index = first.prompt, .text = first.text, .seed = first.seed, .strips = {}};
  for (const StudyRecord* record : records) {
    shown.strips.push_back({record->variant, note_of(*record), record->frames});
  }
  std::ranges::stable_partition(shown.strips, [](const auto& strip) { return strip.variant == kDenseVariant; });
  return shown;
}

}  // namespace

bool can_keep_frames() {
  static const bool can = [] {
    try {
      check_image_output("frames.jpg");
      return true;
    } catch (const Error& error) {
      log::warn("the study's page will have no frames: {}", error.what());
      return false;
    }
  }();
  return can;
}

std::string frame_strip(const Tensor& frames) {
  const int64_t count = frames.size(0), height = frames.size(1), width = frames.size(2);
  const int64_t shown = std::clamp<int64_t>(count - 1, 1, kFramesShown);
  const PixelSize size{std::min(kStripHeight, height),
                       std::max<int64_t>(1, width * std::min(kStripHeight, height) / height)};
  std::vector<Tensor> strip;
  for (int64_t i = 1; i <= shown; ++i) {
    strip.push_back(resize_lanczos(frames[i * (count - 1) / shown].cpu().contiguous(), size));
  }
  return image_data_uri(at::cat(strip, 1));
}

ShownPrompts shown_prompts(const std::vector<StudyRecord>& records, size_t max_bytes) {
  std::map<int64_t, std::vector<const StudyRecord*>> by_prompt;
  for (const StudyRecord& record : records) {
    if (is_image_data_uri(record.frames)) by_prompt[record.prompt].push_back(&record);
  }
  ShownPrompts shown;
  size_t bytes = 0;
  for (const auto& [prompt, with_frames] : by_prompt) {
    for (const StudyRecord* record : with_frames) bytes += record->frames.size();
    if (bytes > max_bytes) {
      ++shown.left_out;
    } else {
      shown.prompts.push_back(shown_prompt(with_frames));
    }
  }
  return shown;
}

}  // namespace faststar
