#include "core/lab/train/feature_store.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/lab/train/training_random.h"

namespace faststar {

void FeatureStore::put(int64_t index) {
  const auto slot = static_cast<size_t>(index % slots());
  if (slot == encoded_.size()) {
    encoded_.emplace_back();
    blocks_.push_back(nullptr);
  }
  if (blocks_[slot]) std::erase(by_length_[blocks_[slot]->text_length], static_cast<int64_t>(slot));
  const CaptionBlock& block = pool_.block(index);
  encoded_[slot] = encode_(pool_.records(block));
  encoded_[slot].features = encoded_[slot].features.to(at::kBFloat16);
  blocks_[slot] = &block;
  auto& list = by_length_[block.text_length];
  list.insert(std::lower_bound(list.begin(), list.end(), static_cast<int64_t>(slot)), static_cast<int64_t>(slot));
}

void FeatureStore::advance_to(int64_t step) {
  const c10::NoGradGuard no_grad;
  const int64_t wanted = settings_.first_clips / kBlockClips + step / settings_.refresh_every;
  // Groups that would be overwritten again are not encoded; slots are filled in order all the same.
  const int64_t oldest = wanted - slots();
  if (next_ < oldest) next_ = oldest;
  if (encoded_.empty() && next_ > 0) {
    encoded_.resize(static_cast<size_t>(slots()));
    blocks_.resize(static_cast<size_t>(slots()), nullptr);
  }
  for (; next_ < wanted; ++next_) put(next_);
}

FeatureStore::Choice FeatureStore::choose(int64_t groups, uint64_t seed, int64_t step) const {
  int64_t total = 0;
  for (const auto& [length, slots] : by_length_) {
    if (static_cast<int64_t>(slots.size()) >= groups) total += static_cast<int64_t>(slots.size());
  }
  if (total == 0) {
    fail(ErrorKind::usage, fmt::format("training captions: no {} groups of one length among the first clips", groups),
         "more first_clips");
  }
  TrainingRandom random(seed, Draw::clips, step);
  int64_t left = random.below(total);
  for (const auto& [length, slots] : by_length_) {
    if (static_cast<int64_t>(slots.size()) < groups) continue;
    left -= static_cast<int64_t>(slots.size());
    if (left >= 0) continue;
    Choice choice{length, slots};
    for (int64_t i = 0; i < groups; ++i) {  // Fisher-Yates, as far as needed
      const int64_t j = i + random.below(static_cast<int64_t>(choice.slots.size()) - i);
      std::swap(choice.slots[static_cast<size_t>(i)], choice.slots[static_cast<size_t>(j)]);
    }
    choice.slots.resize(static_cast<size_t>(groups));
    return choice;
  }
  fail(ErrorKind::internal, "FeatureStore: no choice");
}

FeatureStore::Encoded FeatureStore::clips(const Choice& choice) const {
  std::vector<Tensor> features, objects;
  for (const int64_t slot : choice.slots) {
    features.push_back(encoded_[static_cast<size_t>(slot)].features);
    objects.push_back(encoded_[static_cast<size_t>(slot)].objects);
  }
  return {at::cat(features), at::cat(objects)};
}

Tensor FeatureStore::ids(const Choice& choice) const {
  std::vector<Tensor> groups;
  for (const int64_t slot : choice.slots) groups.push_back(pool_.ids(*blocks_[static_cast<size_t>(slot)]));
  return at::cat(groups);
}

}  // namespace faststar
