#include "core/lab/train/caption_blocks.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/lab/train/training_random.h"

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
    fail(ErrorKind::usage, fmt::format("training captions: {} scenes have no {} captions of one length of at most {}",
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
  double left = sum * TrainingRandom(worker_seed(settings_.seed, settings_.worker), Draw::lengths, index).uniform();
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

}  // namespace faststar
