#pragma once
#include <string>

#include "core/lab/evaluate/evaluation.h"

namespace faststar {

/// All figures, with every miss, as JSON.
std::string evaluation_json(const Evaluation& evaluation);

/// The figures as Markdown tables, for a model card.
std::string evaluation_markdown(const Evaluation& evaluation);

}  // namespace faststar
