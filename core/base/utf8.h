#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace faststar {

/// Offset of the first byte of `text` that is not UTF-8 (RFC 3629: no overlong forms, no surrogates, at most
/// U+10FFFF); nothing when all of it is valid.
std::optional<size_t> find_invalid_utf8(std::string_view text);

/// The characters (code points) of valid UTF-8.
std::u32string decode_utf8(std::string_view text);

std::string encode_utf8(std::u32string_view characters);

/// JSON as text; a byte that is not UTF-8, as in a path, becomes U+FFFD. `indent` as of nlohmann's dump: -1 is one
/// line.
template <typename Json>
std::string json_text(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

/// The lines of `text` without their ends, which are LF, CRLF or (old Macs) CR. Views of it.
std::vector<std::string_view> lines_of(std::string_view text);

/// True for UTF-8 text without a visible character: white space and invisible formatting are blanks.
bool is_blank_text(std::string_view text);

/// Valid UTF-8 without the blanks around it.
std::string without_outer_blanks(std::string_view text);

/// The text of a file: UTF-8, or UTF-16 that begins with its mark, as UTF-8 whose lines begin without a mark. Nothing
/// when UTF-16 is damaged. Bytes that are neither stay as they are.
std::optional<std::string> text_of_file(std::string bytes);

/// True for characters that steer a terminal instead of being shown: C0, DEL, C1, line separators and marks of writing
/// direction.
bool is_terminal_control(char32_t character);

/// `text` as one line that a terminal shows and does not obey: a character that steers becomes `\u001b`, a byte that is
/// not UTF-8 `\xff`.
std::string printable(std::string_view text);

/// The same for text of several lines: line ends and tabs stay. JSON from json_text() stays JSON of the same value.
std::string printable_lines(std::string_view text);

/// `text` as one word of a POSIX shell; where it is not printable, of bash and zsh ($'...').
std::string shell_quoted(std::string_view text);

/// Most bytes of a prompt in a message.
inline constexpr size_t kShownPrompt = 300;

/// The first bytes of `text`, at most `most` and no half character.
std::string_view beginning_of(std::string_view text, size_t most);

/// `text` as messages show it: "nothing" for no text, and at most `most` bytes and "...".
std::string shortened(std::string_view text, size_t most = 60);

/// The words of `text`, each once, in their order: letters and digits, ASCII ones in lower case.
std::vector<std::string> words_in(std::string_view text);

/// A prompt as part of a file name: lower-case ASCII letters, digits and every visible non-ASCII character are kept, a
/// run of anything else becomes one dash. At most 40 characters (code points), cut between words where that loses
/// little. "video" when nothing is left. `prompt` is valid UTF-8.
std::string slug(const std::string& prompt);

}  // namespace faststar
