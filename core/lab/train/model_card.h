#pragma once
#include <string>

#include "core/lab/evaluate/evaluation.h"
#include "core/lab/train/train_log.h"
#include "core/lab/train/train_settings.h"

namespace faststar {

/// What a model card says beyond the figures.
struct CardFacts {
  TrainSettings training;
  std::string recipe;  ///< of these settings: what --config named
  std::string stage;   ///< of the recipe; empty: it has no stages
  TrainRecord record;  ///< of the run
  std::string commit;  ///< of faststar that trained it
  std::string date;    ///< of the training, 2026-11-22
  std::string device;  ///< that it was judged on
};

/// The card of a trained model, in Markdown: data, recipe, command, commit, date, seconds, figures, limits, licence.
/// The contact sheets are expected beside it.
std::string model_card(const Evaluation& evaluation, const CardFacts& facts);

}  // namespace faststar
