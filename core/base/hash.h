#pragma once
#include <cstdint>
#include <string_view>

namespace faststar {

/// 64-bit FNV-1a of `bytes`, continued from `hash`. Not cryptographic.
constexpr uint64_t fnv1a(std::string_view bytes, uint64_t hash = 0xcbf29ce484222325) {
  for (const char byte : bytes) hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3;
  return hash;
}

}  // namespace faststar
