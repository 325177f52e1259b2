#pragma once
#include <filesystem>
#include <string>

#include "core/base/tensor.h"

namespace faststar::test {

/// The list of steps of a run with an image clip and one video clip of two latents: two steps of the image clip,
/// then scale 2 (whole) and scales 3 and 4 of the clip; grids 2x4 and 4x6 for the last two.
std::string sample_steps_json();

/// A trace of that run. Scale 3 keeps the left half, scale 4 what the second latent's top half is; both scores grow
/// from left to right up to 0.5.
void write_sample_trace(const std::filesystem::path& path);

}  // namespace faststar::test
