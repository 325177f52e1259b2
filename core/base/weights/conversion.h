#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/weights/safetensors.h"

namespace faststar {

/// What `faststar convert` notes in the header of each file that it writes.
struct Conversion {
  std::string precision;                 ///< "bf16"
  std::string source;                    ///< path of the file or folder, as it was given
  std::map<std::string, int64_t> files;  ///< bytes of its files
  std::string fingerprint;               ///< of its tensors: faststar::fingerprint
  std::vector<FusedLayers> fused;
};

/// `file` as everybody else reads it: parts of fused tensors under their own names, padding left out. `file` itself
/// when it is not a converted one. Throws Error(model) when the notes in its header are damaged or of a newer version.
std::shared_ptr<const TensorSource> with_fused_parts(const std::shared_ptr<const Safetensors>& file);

/// Writes a file of a converted model, atomically: safetensors, whose first tensor begins at a multiple of 4096 bytes
/// and each at one of 64; those whose size is a multiple of 4096 come first, so that they begin at one too.
/// on_written: called after each tensor with its bytes; an exception from it ends the call. Returns the bytes of the
/// file. Throws Error(output).
int64_t write_converted(const std::filesystem::path& path, std::vector<TensorToWrite> tensors,
                        const Conversion& conversion, const std::function<void(int64_t bytes)>& on_written);

}  // namespace faststar
