#include "core/lab/train/star_data.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/lab/train/phase_loop.h"

namespace faststar {
namespace {

uint64_t scene_seed(uint64_t seed) { return training_seed(static_cast<uint32_t>(seed)); }

}  // namespace

CaptionPool::CaptionPool(const World& world, const Tokenizer& tokenizer, const Settings& settings)
    : world_(world), settings_(settings) {
  draw_scenes(tokenizer);
  form_blocks();
}

void CaptionPool::draw_scenes(const Tokenizer& tokenizer) {
  const uint64_t seed = scene_seed(settings_.seed);
  ids_.resize(static_cast<size_t>(settings_.scenes));
  for (int64_t i = settings_.worker; i < settings_.scenes; i += settings_.workers) {
    const std::string caption = world_.caption(world_.draw(seed, i), seed, i);
    Tokenizer::Encoded encoded = tokenizer.encode(caption, settings_.longest_text);
    if (encoded.cut.empty()) ids_[static_cast<size_t>(i)] = std::move(encoded.ids);
  }
}

void CaptionPool::form_blocks() {
  std::map<int64_t, CaptionBlock> open;
  for (size_t i = 0; i < ids_.size(); ++i) {
    if (ids_[i].empty()) continue;
    const auto length = static_cast<int64_t>(ids_[i].size());
    CaptionBlock& block = open[length];
    block.text_length = length;
    block.clips.push_back(static_cast<int64_t>(i));
    if (static_cast<int64_t>(block.clips.size()) < kBlockClips) continue;
    by_length_[length].push_back(std::move(block));
    block = {};
  }
  drop_rare_lengths();
  if (by_length_.empty()) {
    fail(ErrorKind::usage,
         fmt::format("train: among the captions of {} scenes there are no {} of one length of at most {} tokens",
                     settings_.scenes, kBlockClips, settings_.longest_text));
  }
}

void CaptionPool::drop_rare_lengths() {
  while (by_length_.size() > kMaxTextLengths) {
    by_length_.erase(std::min_element(by_length_.begin(), by_length_.end(),
                                      [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); }));
  }
}

int64_t CaptionPool::choose_length(int64_t index) const {
  const auto weight = [&](const std::vector<CaptionBlock>& blocks) {
    return std::pow(static_cast<double>(blocks.size()), 1 - settings_.length_evenness);
  };
  double sum = 0;
  for (const auto& [length, blocks] : by_length_) sum += weight(blocks);
  double left = sum * CounterRandom(worker_seed(settings_.seed, settings_.worker), Draw::lengths, index).uniform();
  for (const auto& [length, blocks] : by_length_) {
    left -= weight(blocks);
    if (left < 0) return length;
  }
  return by_length_.rbegin()->first;
}

const CaptionBlock& CaptionPool::block(int64_t index) const {
  while (static_cast<int64_t>(order_.size()) <= index) {
    const int64_t length = choose_length(static_cast<int64_t>(order_.size()));
    const auto& blocks = by_length_.at(length);
    order_.push_back(&blocks[taken_[length]++ % blocks.size()]);
  }
  return *order_[static_cast<size_t>(index)];
}

std::vector<ClipRecord> CaptionPool::records(const CaptionBlock& block) const {
  std::vector<ClipRecord> records;
  for (const int64_t clip : block.clips) records.push_back(world_.draw(scene_seed(settings_.seed), clip));
  return records;
}

Tensor CaptionPool::ids(const CaptionBlock& block) const {
  std::vector<int64_t> joined;
  for (const int64_t clip : block.clips) {
    const auto& own = ids_[static_cast<size_t>(clip)];
    joined.insert(joined.end(), own.begin(), own.end());
  }
  return at::tensor(joined, at::kLong).view({-1, block.text_length});
}

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
    fail(ErrorKind::usage,
         fmt::format("train: among the first clips there are no {} groups of captions of one length", groups),
         "raise first_clips");
  }
  CounterRandom random(seed, Draw::clips, step);
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
