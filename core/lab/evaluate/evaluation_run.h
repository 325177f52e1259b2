#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/base/progress.h"
#include "core/config/settings.h"
#include "core/lab/evaluate/evaluation.h"

namespace faststar {

/// What `faststar evaluate` is asked for.
struct EvaluationRequest {
  FieldTexts model;                   ///< settings of the run, as given
  FieldTexts counts;                  ///< of EvaluationSettings, as given
  std::string training;               ///< recipe; empty: named by the log, else that of the embedded model
  std::string stage;                  ///< of the training; empty: named by the log, else the last one
  std::string output = "evaluation";  ///< folder
  std::string log;                    ///< of its training; empty: no model card
  std::string commit = "unknown";
  bool quick = false;  ///< a tenth of the clips
  bool overwrite = false;
};

/// Measures the model and writes evaluation.json, evaluation.md, the contact sheets and, with a log, MODEL.md when all
/// results are there. `make_progress` is called when all is checked and the model is open. Throws Error of the kind
/// that the exit code names.
Evaluation run_evaluation(const EvaluationRequest& request,
                          const std::function<std::unique_ptr<Progress>(const RuntimeConfig&)>& make_progress);

}  // namespace faststar
