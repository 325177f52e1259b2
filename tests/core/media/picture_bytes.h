#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/tensor.h"

/// Picture files built byte by byte.
namespace faststar::test {

/// The lowest `bytes` bytes of a number, the most significant one first unless `little`.
std::string number(uint32_t value, int bytes, bool little = false);

/// EXIF data that holds nothing but the orientation.
std::string exif_of(int orientation, bool little = false);

/// An uncompressed RGB TIFF of uint8 [H, W, 3 or 4]. `compression` is what it says, whatever it holds; `extra_samples`
/// what a fourth channel is (tag 338).
std::string tiff_of(const Tensor& pixels, int orientation, uint32_t compression = 1, uint32_t extra_samples = 2);

/// A chunk of a PNG file, and `png` with one more after its header.
std::string png_chunk(const std::string& type, const std::string& body);
std::string with_chunk(const std::string& png, const std::string& type, const std::string& body);

/// A box of an ISO base media file.
std::string box(const std::string& type, const std::string& body);

/// An AVIF file's beginning: one item of this type with these properties.
std::string avif_header(const std::string& item_type, const std::vector<std::string>& properties);

}  // namespace faststar::test
