#pragma once
#include <string>

#include "core/config/settings.h"
#include "core/config/value.h"

namespace faststar {

/// The enumerator that `text`, the value of `flag`, names. Throws Error(usage) listing the words that it may be.
template <Choice Enum>
Enum parse_choice(const char* flag, const std::string& text) {
  Enum value{};
  if (!parse_value(text, Field{}, value)) fail_value({Source::flag, flag}, expected_text(Field{}, value), text);
  return value;
}

}  // namespace faststar
