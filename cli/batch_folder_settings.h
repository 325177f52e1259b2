#pragma once
#include <string>

#include "core/config/resolve.h"
#include "core/pipeline/batch/batch_folder.h"
#include "core/pipeline/request.h"

namespace faststar {

/// Fills what a batch decides once: the base seed (given, else that of the folder's earlier runs, else random), the
/// precision, the model's full path. What single files have for themselves is taken out.
void settle_batch_settings(const BatchFolder& folder, const ModelSetup& setup, ResolvedSettings& resolved);

/// Throws Error(usage) when the folder was begun with other settings.
void compare_with_folder(const BatchFolder& folder, const ResolvedSettings& resolved);

/// The same, and leaves them there for the runs to come when this is the first. One process at a time.
void agree_with_folder(const BatchFolder& folder, const ResolvedSettings& resolved);

}  // namespace faststar
