#include "core/media/picture_bytes.h"

#include <ATen/ATen.h>

extern "C" {
#include <libavutil/crc.h>
}

namespace faststar::test {
namespace {

/// One entry of a TIFF directory with a 16-bit or 32-bit value.
std::string tiff_entry(uint32_t tag, uint32_t type, uint32_t count, uint32_t value, bool little) {
  std::string entry = number(tag, 2, little) + number(type, 2, little) + number(count, 4, little);
  return entry + (type == 3 && count == 1 ? number(value, 2, little) + std::string(2, '\0') : number(value, 4, little));
}

}  // namespace

std::string number(uint32_t value, int bytes, bool little) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> 8 * (little ? i : bytes - 1 - i) & 0xff);
  return text;
}

std::string exif_of(int orientation, bool little) {
  return (little ? std::string("II*\0", 4) : std::string("MM\0*", 4)) + number(8, 4, little) + number(1, 2, little) +
         tiff_entry(274, 3, 1, static_cast<uint32_t>(orientation), little) + std::string(4, '\0');
}

std::string tiff_of(const Tensor& pixels, int orientation, uint32_t compression, uint32_t extra_samples) {
  const bool little = true;
  const auto height = static_cast<uint32_t>(pixels.size(0)), width = static_cast<uint32_t>(pixels.size(1));
  const std::string data(reinterpret_cast<const char*>(pixels.contiguous().const_data_ptr<uint8_t>()),
                         static_cast<size_t>(pixels.numel()));
  const auto channels = static_cast<uint32_t>(pixels.size(2));
  const uint32_t entries = channels == 4 ? 11 : 10, bits_at = 8 + 2 + 12 * entries + 4,
                 data_at = bits_at + 2 * channels;
  const auto entry = [&](uint32_t tag, uint32_t type, uint32_t count, uint32_t value) {
    return tiff_entry(tag, type, count, value, little);
  };
  std::string bits;
  for (uint32_t i = 0; i < channels; ++i) bits += number(8, 2, little);
  return std::string("II*\0", 4) + number(8, 4, little) + number(entries, 2, little) + entry(256, 3, 1, width) +
         entry(257, 3, 1, height) + entry(258, 3, channels, bits_at) + entry(259, 3, 1, compression) +
         entry(262, 3, 1, 2) + entry(273, 4, 1, data_at) + entry(274, 3, 1, static_cast<uint32_t>(orientation)) +
         entry(277, 3, 1, channels) + entry(278, 4, 1, height) + entry(279, 4, 1, static_cast<uint32_t>(data.size())) +
         (channels == 4 ? entry(338, 3, 1, extra_samples) : "") + std::string(4, '\0') + bits + data;
}

std::string png_chunk(const std::string& type, const std::string& body) {
  const std::string checked = type + body;
  const uint32_t crc = ~av_crc(av_crc_get_table(AV_CRC_32_IEEE_LE), ~0u,
                               reinterpret_cast<const uint8_t*>(checked.data()), checked.size());
  return number(static_cast<uint32_t>(body.size()), 4) + checked + number(crc, 4);
}

std::string with_chunk(const std::string& png, const std::string& type, const std::string& body) {
  return png.substr(0, 33) + png_chunk(type, body) + png.substr(33);
}

std::string box(const std::string& type, const std::string& body) {
  return number(static_cast<uint32_t>(body.size() + 8), 4) + type + body;
}

std::string avif_header(const std::string& item_type, const std::vector<std::string>& properties) {
  std::string all, associations = number(1, 4) + number(1, 2) + number(static_cast<uint32_t>(properties.size()), 1);
  for (size_t i = 0; i < properties.size(); ++i) {
    all += properties[i];
    associations += number(static_cast<uint32_t>(i + 1) | 0x80, 1);
  }
  const std::string infe = box("infe", number(2u << 24, 4) + number(1, 2) + number(0, 2) + item_type + '\0');
  return box("ftyp", "avif" + number(0, 4) + "mif1avif") +
         box("meta", number(0, 4) + box("pitm", number(0, 4) + number(1, 2)) +
                         box("iinf", number(0, 4) + number(1, 2) + infe) +
                         box("iprp", box("ipco", all) + box("ipma", number(0, 4) + associations)));
}

}  // namespace faststar::test
