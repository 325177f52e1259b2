#pragma once
#include <cstdint>
#include <span>
#include <string>

namespace faststar::fuzz {

/// Input `number` of a run: one of `samples` with one to six changes. Equal arguments give equal bytes. Changes: bits,
/// bytes and numbers of up to 8 bytes, values that are often wrong at borders, pieces removed, doubled, moved or taken
/// from another sample, words of JSON and YAML. `samples` is not empty.
std::string mutate(std::span<const std::string> samples, uint64_t seed, int64_t number);

}  // namespace faststar::fuzz
