#pragma once
#include <cstdint>
#include <functional>

namespace faststar {

/// Hears of `done` items of `total`; throwing ends the evaluation.
using EvaluationListener = std::function<void(int64_t done, int64_t total)>;

}  // namespace faststar
