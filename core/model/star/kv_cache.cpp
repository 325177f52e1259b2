#include "core/model/star/kv_cache.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "core/base/profile.h"

namespace faststar {
namespace {

LayerKv narrow(const LayerKv& kv, int64_t dim, int64_t start, int64_t length) {
  return {kv.k.narrow(dim, start, length), kv.v.narrow(dim, start, length)};
}

void copy_into(const LayerKv& to, const LayerKv& from) {
  to.k.copy_(from.k);
  to.v.copy_(from.v);
}

/// For `rows` x `tokens` of what `like` has.
LayerKv allocate(const LayerKv& like, int64_t rows, int64_t tokens) {
  const auto empty = [&](const Tensor& t) { return at::empty({rows, tokens, t.size(2), t.size(3)}, t.options()); };
  return {empty(like.k), empty(like.v)};
}

int64_t tokens_of(const PassKv& pass) { return pass.front().k.size(1); }

}  // namespace

KvCache::KvCache(std::vector<PassKv> text, std::vector<PassKv> references, int64_t room) : room_(room) {
  for (const PassKv& pass : text) text_length_ = std::max(text_length_, tokens_of(pass));
  const int64_t rows = text.size() == 1 ? text[0].front().k.size(0) : static_cast<int64_t>(text.size());
  for (int64_t row = 0; row < rows; ++row) {
    begins_.push_back(text_length_ - tokens_of(text[text.size() == 1 ? 0 : static_cast<size_t>(row)]));
  }
  layers_.resize(text[0].size());
  for (size_t i = 0; i < layers_.size(); ++i) {
    layers_[i] = allocate(text[0][i], rows, text_length_);
    for (size_t entry = 0; entry < text.size(); ++entry) {
      const LayerKv from = std::exchange(text[entry][i], {});
      const LayerKv to = text.size() == 1 ? layers_[i] : narrow(layers_[i], 0, static_cast<int64_t>(entry), 1);
      copy_into(narrow(to, 1, text_length_ - from.k.size(1), from.k.size(1)), from);
    }
  }
  set_references(std::move(references));
}

void KvCache::set_references(std::vector<PassKv> references) {
  length_ = text_length_;
  for (const PassKv& pass : references) length_ += tokens_of(pass);
  // Layer by layer, what was before is freed.
  for (size_t i = 0; i < layers_.size(); ++i) {
    const LayerKv before = std::exchange(layers_[i], {});
    layers_[i] = allocate(before, before.k.size(0), capacity());
    copy_into(narrow(layers_[i], 1, 0, text_length_), narrow(before, 1, 0, text_length_));
    int64_t end = text_length_;
    for (PassKv& pass : references) {
      const LayerKv from = std::exchange(pass[i], {});
      copy_into(narrow(layers_[i], 1, end, from.k.size(1)), from);
      end += from.k.size(1);
    }
  }
}

bool KvCache::is_aligned(int64_t first, int64_t rows) const {
  const auto begin = begins_.begin() + first;
  return std::all_of(begin, begin + rows, [](int64_t row_begin) { return row_begin == 0; });
}

LayerKv AttentionRule::place(size_t, int64_t, int64_t) { return {}; }

LayerKv CachedAttention::buffer(size_t layer, int64_t rows) const {
  const LayerKv part = narrow(cache_.layer(layer), 0, share_.first_row, rows);
  return share_.heads ? narrow(part, 2, share_.heads->begin, share_.heads->size()) : part;
}

LayerKv CachedAttention::place(size_t layer, int64_t rows, int64_t tokens) {
  const int64_t context = cache_.length();
  if (context == 0) return {};
  const LayerKv read = buffer(layer, rows);
  if (context + tokens <= cache_.capacity()) {
    joined_ = narrow(read, 1, 0, context + tokens);
  } else {
    // Beside a long pass the copy of its context costs little: 20 us a layer at 720p.
    joined_ = allocate(read, rows, context + tokens);
    copy_into(narrow(joined_, 1, 0, context), narrow(read, 1, 0, context));
  }
  return narrow(joined_, 1, context, tokens);
}

Tensor CachedAttention::attend(size_t layer, const Tensor& q, const LayerKv& own) {
  const ProfileRange range(PassPart::attention);
  const LayerKv joined = std::exchange(joined_, {});
  const bool has_context = joined.k.defined();
  if (own_) {
    const auto kept = [&](const Tensor& t) { return has_context ? t.clone(at::MemoryFormat::Contiguous) : t; };
    (*own_)[layer] = {kept(own.k), kept(own.v)};
  }
  if (!has_context) return faststar::attend(q, own.k, own.v, settings_);
  if (cache_.is_aligned(share_.first_row, q.size(0))) return faststar::attend(q, joined.k, joined.v, settings_);
  return attend_row_by_row(q, joined);
}

Tensor CachedAttention::attend_row_by_row(const Tensor& q, const LayerKv& context_and_own) const {
  std::vector<Tensor> attended;
  for (int64_t row = 0; row < q.size(0); ++row) {
    const int64_t begin = cache_.begin(share_.first_row + row);
    const LayerKv read = narrow(narrow(context_and_own, 0, row, 1), 1, begin, context_and_own.k.size(1) - begin);
    attended.push_back(faststar::attend(q.narrow(0, row, 1), read.k, read.v, settings_));
  }
  return at::cat(attended);
}

}  // namespace faststar
