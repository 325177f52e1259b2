#pragma once
#include "core/base/progress.h"
#include "core/pipeline/codes_file.h"
#include "core/pipeline/model.h"
#include "core/pipeline/outputs.h"

namespace faststar {

/// Saved codes that become a video or picture again.
struct RedecodeJob {
  SavedCodes codes;
  RequestedOutput output;  ///< file and frames_dir
  VideoEncoding encoding;
  Metadata metadata = Metadata::write;
  Existing existing = Existing::refuse;
  FirstFrame first_frame = FirstFrame::copy;
  size_t clips_left_out = 0;  ///< first clips that are not shown (--only-new)
};

/// What can be found out before weights load. Throws Error(usage) for the file's name, Error(device) when the decode
/// does not fit into memory.
void check_redecode(const Model& model, const RedecodeJob& job);

/// Throws as check_redecode, Error(output), and Error(interrupted) when `progress` asks to stop.
void redecode(Model& model, const RedecodeJob& job, Progress& progress);

}  // namespace faststar
