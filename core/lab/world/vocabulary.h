#pragma once
#include <string>

#include "core/lab/world/world_settings.h"

namespace faststar {

/// A vocabulary for the captions of a world: every word that its sentences are made of is one piece, and letters
/// and word parts spell the rest. Returns the bytes of a spiece.model, the same ones in every run. Throws as
/// train_vocabulary.
std::string train_world_vocabulary(const WorldSettings& settings, int pieces);

}  // namespace faststar
