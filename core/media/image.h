#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "core/base/atomic_file.h"
#include "core/base/tensor.h"

namespace faststar {

/// A picture in any format that FFmpeg decodes (PNG, JPEG, WebP, ...): uint8 [H, W, 3] RGB, turned upright as EXIF or
/// AVIF says, with square pixels, in sRGB as its colour profile says; grey becomes RGB, 16 bits become 8, transparent
/// pixels are blended with white. The first frame of an animation or a video; the largest picture of an icon. Throws
/// Error(input) when the file is missing, damaged, cut off or has more than 2^28 pixels.
Tensor read_image(const std::filesystem::path& path);

/// True when the content of `path` is a picture (PNG, JPEG, WebP, AVIF, an icon, ...), not a video or an animation.
/// Throws Error(input) when the file is missing or FFmpeg does not know its format.
bool is_picture(const std::filesystem::path& path);

/// True for a name that ends in .png, .jpg or .jpeg.
bool has_picture_name(const std::filesystem::path& path);

/// Throws Error(usage) unless `path` has a picture name, and Error(output) when this FFmpeg lacks the
/// encoder. Touches no file.
void check_image_output(const std::filesystem::path& path);

/// Writes pixels, uint8 [H, W, 3] RGB on the CPU: .png lossless, .jpg and .jpeg at high quality without
/// chroma subsampling. `comment` is stored in the file (PNG iTXt "comment", JPEG comment segment) unless empty.
/// Throws as check_image_output, and Error(output) when the file cannot be written; no half-written file stays.
void write_image(const std::filesystem::path& path, const Tensor& pixels, const std::string& comment,
                 Existing existing);

/// Pixels, as of write_image, as a small JPEG that a web page holds itself: "data:image/jpeg;base64,...". Throws
/// Error(output) when this FFmpeg lacks the encoder.
std::string image_data_uri(const Tensor& pixels);
/// True for text of that form: a page shows it, and runs nothing.
bool is_image_data_uri(std::string_view text);

}  // namespace faststar
