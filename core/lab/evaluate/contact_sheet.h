#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/lab/evaluate/evaluated_model.h"
#include "core/lab/world/world.h"

namespace faststar {

/// Clips side by side: a row of frames for each, evenly spaced from the first to the last, at half size; rows fill
/// the first column, then the next. clips [3, F, H, W] floating-point in about [-1, 1], all of one H and W. Returns
/// [h, w, 3] uint8 RGB on the CPU.
Tensor contact_sheet(std::span<const Tensor> clips, int64_t frames_shown, int64_t columns);

/// Called after each clip: `done` of `total` clips of `part`, each costing `cost` (1: a generated clip of 2 s).
/// Throwing ends the evaluation.
using PartListener = std::function<void(std::string_view part, int64_t done, int64_t total, double cost)>;

/// The prompts of the contact sheet.
const std::vector<std::string>& sheet_prompts();

/// Sheets of the clips generated for sheet_prompts(), and of six held-out clips continued: uint8 [h, w, 3] RGB, see
/// contact_sheet.
Tensor prompt_sheet(const EvaluatedModel& model, const PartListener& listener = {});
Tensor continuation_sheet(const EvaluatedModel& model, WorldSettings world, const PartListener& listener = {});

/// Total cost of both sheets; of the prompt sheet alone for a model with `video_clips` 1.
double sheets_cost(int video_clips);

}  // namespace faststar
