#pragma once
#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace faststar {

/// Walks over bytes that may be damaged: taking more than is left throws Error(model) naming `origin`.
/// Both arguments must outlive it.
class ByteReader {
 public:
  ByteReader(std::string_view bytes, const std::string& origin) : bytes_(bytes), origin_(origin) {}

  size_t position() const { return position_; }

  std::string_view take(uint64_t count) {
    if (count > bytes_.size() - position_) fail_short();
    const auto taken = bytes_.substr(position_, count);
    position_ += count;
    return taken;
  }

  /// The next little-endian number, as this machine has them.
  template <typename Number>
  Number number() {
    Number value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  /// The text up to the next line end, which is taken too.
  std::string_view line() {
    const auto end = bytes_.find('\n', position_);
    if (end == std::string_view::npos) fail_short();
    const auto text = take(end - position_);
    take(1);
    return text;
  }

 private:
  [[noreturn]] void fail_short() const {
    fail(ErrorKind::model, fmt::format("{}: cut short after byte {} of {}", origin_, position_, bytes_.size()),
         "download or copy the file again");
  }

  std::string_view bytes_;
  const std::string& origin_;
  size_t position_ = 0;
};

}  // namespace faststar
