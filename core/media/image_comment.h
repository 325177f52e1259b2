#pragma once
#include <string>
#include <string_view>

namespace faststar {

/// The bytes of a PNG or JPEG file with a comment added: an iTXt chunk with keyword "comment" after the PNG
/// header, COM segments at the start of a JPEG. `image` must be one of the two.
std::string with_comment(std::string image, std::string_view comment);

/// The comment in the bytes of a PNG or JPEG file; empty when there is none, or for any other file.
std::string comment_of(std::string_view image);

/// True when the bytes begin as a PNG or JPEG file does.
bool is_png_or_jpeg(std::string_view image);

}  // namespace faststar
