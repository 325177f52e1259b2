#include "core/base/slug.h"

#include "core/base/utf8.h"

namespace faststar {
namespace {

constexpr size_t kLongest = 40;

bool is_ascii_letter_or_digit(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/// Quotation marks, dashes and ellipses of typography, full-width stops: no letters.
bool is_punctuation(char32_t c) {
  return (c >= 0x2010 && c <= 0x2027) || (c >= 0x2030 && c <= 0x205e) || (c >= 0x3001 && c <= 0x303f) ||
         (c >= 0xff00 && c <= 0xff0f) || c == 0xab || c == 0xbb;
}

bool is_kept(char32_t c) { return is_ascii_letter_or_digit(c) || (c >= 0x80 && !is_blank(c) && !is_punctuation(c)); }

char32_t lower_ascii(char32_t c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; }

/// At most kLongest characters; a cut word is dropped when that keeps at least half.
std::u32string shortened(const std::u32string& words) {
  if (words.size() <= kLongest) return words;
  const bool between_words = words[kLongest] == '-';
  const size_t last_dash = words.rfind('-', kLongest - 1);
  const bool drop = !between_words && last_dash != std::u32string::npos && last_dash >= kLongest / 2;
  return words.substr(0, drop ? last_dash : kLongest);
}

}  // namespace

std::string slug(const std::string& prompt) {
  std::u32string words;
  for (const char32_t raw : decode_utf8(prompt)) {
    const char32_t c = lower_ascii(raw);
    if (is_kept(c)) {
      words += c;
    } else if (!words.empty() && words.back() != '-') {
      words += '-';
    }
  }
  words = shortened(words);
  if (!words.empty() && words.back() == '-') words.pop_back();
  return words.empty() ? "video" : encode_utf8(words);
}

}  // namespace faststar
