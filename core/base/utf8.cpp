#include "core/base/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace faststar {
namespace {

/// Bytes of the character that begins with `lead`; 0 when no character does.
size_t length_of(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;  // continuation bytes, and overlong forms of ASCII
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}

/// The character in `bytes`, whose length its first byte gives.
char32_t decode_one(std::string_view bytes) {
  const auto lead = static_cast<unsigned char>(bytes[0]);
  if (bytes.size() == 1) return lead;
  char32_t character = lead & (0x7fu >> bytes.size());
  for (const char byte : bytes.substr(1)) character = character << 6 | (static_cast<unsigned char>(byte) & 0x3fu);
  return character;
}

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0u) == 0x80u; }

bool is_valid_character(std::string_view bytes) {
  for (const char byte : bytes.substr(1)) {
    if (!is_continuation(byte)) return false;
  }
  const char32_t character = decode_one(bytes);
  const bool overlong = (bytes.size() == 3 && character < 0x800) || (bytes.size() == 4 && character < 0x10000);
  const bool surrogate = character >= 0xd800 && character <= 0xdfff;
  return !overlong && !surrogate && character <= 0x10ffff;
}

void append_utf8(char32_t c, std::string& out) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xc0 | c >> 6);
  } else {
    if (c < 0x10000) {
      put(0xe0 | c >> 12);
    } else {
      put(0xf0 | c >> 18);
      put(0x80 | (c >> 12 & 0x3f));
    }
    put(0x80 | (c >> 6 & 0x3f));
  }
  put(0x80 | (c & 0x3f));
}

constexpr size_t kMaxSlugLength = 40;

bool is_ascii_letter_or_digit(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/// White space and invisible formatting characters: what neither a tokenizer nor a reader sees.
bool is_blank(char32_t c) {
  const bool control = c <= 0x20 || (c >= 0x7f && c <= 0xa0);
  const bool space = c == 0x1680 || (c >= 0x2000 && c <= 0x200f) || (c >= 0x2028 && c <= 0x202f) || c == 0x3000;
  const bool formatting = (c >= 0x205f && c <= 0x206f) || c == 0xfeff;
  return control || space || formatting;
}

/// Quotation marks, dashes and ellipses of typography, full-width stops: no letters.
bool is_punctuation(char32_t c) {
  return (c >= 0x2010 && c <= 0x2027) || (c >= 0x2030 && c <= 0x205e) || (c >= 0x3001 && c <= 0x303f) ||
         (c >= 0xff00 && c <= 0xff0f) || c == 0xab || c == 0xbb;
}

bool is_kept(char32_t c) { return is_ascii_letter_or_digit(c) || (c >= 0x80 && !is_blank(c) && !is_punctuation(c)); }

char32_t lower_ascii(char32_t c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; }

/// At most kMaxSlugLength characters; a cut word is dropped when that keeps at least half.
std::u32string shortened(const std::u32string& words) {
  if (words.size() <= kMaxSlugLength) return words;
  const bool between_words = words[kMaxSlugLength] == '-';
  const size_t last_dash = words.rfind('-', kMaxSlugLength - 1);
  const bool drop = !between_words && last_dash != std::u32string::npos && last_dash >= kMaxSlugLength / 2;
  return words.substr(0, drop ? last_dash : kMaxSlugLength);
}

/// Bytes of the valid character that `text` begins with; 0 when there is none.
size_t valid_length(std::string_view text) {
  const size_t length = text.empty() ? 0 : length_of(static_cast<unsigned char>(text[0]));
  const bool whole = length > 0 && length <= text.size();
  return whole && is_valid_character(text.substr(0, length)) ? length : 0;
}

template <typename IsKept>
std::string escaped(std::string_view text, IsKept&& is_kept_as_is) {
  std::string shown;
  while (!text.empty()) {
    const size_t length = valid_length(text);
    const std::string_view bytes = text.substr(0, std::max<size_t>(length, 1));
    if (length == 0) {
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    } else if (const char32_t c = decode_one(bytes); is_terminal_control(c) && !is_kept_as_is(c)) {
      shown += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
    } else {
      shown += bytes;
    }
    text.remove_prefix(bytes.size());
  }
  return shown;
}

/// Without the byte order marks at the beginnings of lines: files that were joined have them within.
std::string without_marks(std::string text) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  size_t kept = 0;
  for (size_t at = 0; at < text.size();) {
    const bool begins_line = kept == 0 || text[kept - 1] == '\n' || text[kept - 1] == '\r';
    if (begins_line && std::string_view(text).substr(at).starts_with(kMark)) {
      at += kMark.size();
    } else {
      text[kept++] = text[at++];
    }
  }
  text.resize(kept);
  return text;
}

}  // namespace

std::optional<size_t> find_invalid_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = valid_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::nullopt;
}

std::u32string decode_utf8(std::string_view text) {
  std::u32string characters;
  for (size_t at = 0; at < text.size();) {
    const size_t length = length_of(static_cast<unsigned char>(text[at]));
    characters += decode_one(text.substr(at, length));
    at += length;
  }
  return characters;
}

std::string encode_utf8(std::u32string_view characters) {
  std::string text;
  for (const char32_t c : characters) append_utf8(c, text);
  return text;
}

std::optional<std::string> text_of_file(std::string bytes) {
  constexpr std::string_view kLittle = "\xff\xfe", kBig = "\xfe\xff";
  const bool little = bytes.starts_with(kLittle);
  if (!little && !bytes.starts_with(kBig)) return without_marks(std::move(bytes));
  if (bytes.size() % 2 != 0) return std::nullopt;
  const auto unit = [&](size_t at) {
    const auto first = static_cast<unsigned char>(bytes[at]), second = static_cast<unsigned char>(bytes[at + 1]);
    return static_cast<char32_t>(little ? second << 8 | first : first << 8 | second);
  };
  std::string text;
  for (size_t at = 2; at < bytes.size(); at += 2) {
    char32_t c = unit(at);
    const bool high = c >= 0xd800 && c < 0xdc00, low = c >= 0xdc00 && c < 0xe000;
    if (low || (high && at + 2 >= bytes.size())) return std::nullopt;
    if (high) {
      const char32_t other = unit(at += 2);
      if (other < 0xdc00 || other >= 0xe000) return std::nullopt;
      c = 0x10000 + ((c - 0xd800) << 10) + (other - 0xdc00);
    }
    append_utf8(c, text);
  }
  return without_marks(std::move(text));
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of("\r\n"), text.size());
    lines.push_back(text.substr(0, end));
    const size_t line_end = text.substr(end).starts_with("\r\n") ? 2 : 1;
    text.remove_prefix(std::min(end + line_end, text.size()));
  }
  return lines;
}

bool is_blank_text(std::string_view text) {
  return !find_invalid_utf8(text) && std::ranges::all_of(decode_utf8(text), [](char32_t c) { return is_blank(c); });
}

std::string without_outer_blanks(std::string_view text) {
  const std::u32string characters = decode_utf8(text);
  const auto seen = [](char32_t c) { return !is_blank(c); };
  const auto begin = std::find_if(characters.begin(), characters.end(), seen);
  const auto end = std::find_if(characters.rbegin(), characters.rend(), seen).base();
  return begin < end ? encode_utf8({begin, end}) : "";
}

bool is_terminal_control(char32_t c) {
  const bool direction =
      c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029 || direction;
}

std::string printable(std::string_view text) {
  return escaped(text, [](char32_t) { return false; });
}

std::string printable_lines(std::string_view text) {
  return escaped(text, [](char32_t c) { return c == '\n' || c == '\t'; });
}

std::string shell_quoted(std::string_view text) {
  const bool plain = printable(text) == text;
  std::string word = plain ? "'" : "$'";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (plain) {
      word += c == '\'' ? "'\\''" : std::string(1, c);
    } else if (byte < 0x20 || byte >= 0x7f || c == '\'' || c == '\\') {
      word += fmt::format("\\{:03o}", byte);
    } else {
      word += c;
    }
  }
  return word + "'";
}

std::string_view beginning_of(std::string_view text, size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && is_continuation(text[most])) --most;
  return text.substr(0, most);
}

std::string shortened(std::string_view text, size_t most) {
  if (text.empty()) return "nothing";
  return text.size() <= most ? std::string(text) : fmt::format("{}...", beginning_of(text, most));
}

std::vector<std::string> words_in(std::string_view text) {
  const auto is_in_word = [](unsigned char c) { return c >= 0x80 || std::isalnum(c) != 0; };
  std::vector<std::string> words;
  for (auto begin = std::ranges::find_if(text, is_in_word); begin != text.end();) {
    const auto end = std::find_if_not(begin, text.end(), is_in_word);
    std::string word(begin, end);
    std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (std::ranges::find(words, word) == words.end()) words.push_back(std::move(word));
    begin = std::find_if(end, text.end(), is_in_word);
  }
  return words;
}

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
