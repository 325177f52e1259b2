#include "core/model/star/shared_blocks.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "core/base/profile.h"

namespace faststar {
namespace {

/// What one process computes of a pass.
struct PassShare {
  Share rows, tokens, kv_heads;
};

/// A pass that is shared: who computes what.
struct SharedPass {
  ProcessGroup& group;
  PassLayout layout;
  int64_t rows, tokens, kv_heads;

  bool takes_part() const { return group.rank() < layout.processes(); }
  /// Of a process that takes part.
  PassShare share_of(int64_t rank) const {
    const int64_t part = rank % layout.tokens;
    return {faststar::share_of(rows, layout.rows, rank / layout.tokens),
            faststar::share_of(tokens, layout.tokens, part), faststar::share_of(kv_heads, layout.tokens, part)};
  }
  PassShare own() const { return share_of(group.rank()); }
  /// The processes that have the rows of this one: [begin, end).
  Share same_rows() const {
    const int64_t begin = group.rank() / layout.tokens * layout.tokens;
    return {begin, begin + layout.tokens};
  }
};

/// The rows and tokens of `share`: a view of x [B, L, ...].
Tensor part_of(const Tensor& x, const PassShare& share) {
  return x.narrow(0, share.rows.begin, share.rows.size()).narrow(1, share.tokens.begin, share.tokens.size());
}

/// A message for each row of x [B, ...], which are contiguous where x is not.
void add_rows(std::vector<Message>& messages, int64_t peer, const Tensor& x) {
  for (int64_t row = 0; row < x.size(0); ++row) messages.push_back({static_cast<int>(peer), x[row]});
}

/// Joins the parts of all processes in each of them. part [b, l, ...]: rows and tokens of this process; undefined where
/// it takes no part. Returns [B, L, ...].
Tensor gather(const SharedPass& pass, const Tensor& part, at::IntArrayRef sizes, const at::TensorOptions& options) {
  const ProfileRange range(PassPart::exchange);
  const Tensor whole = at::empty(sizes, options);
  const Tensor own = part.defined() ? part.contiguous() : part;
  std::vector<Message> sent, received;
  for (int peer = 0; peer < pass.group.size(); ++peer) {
    if (peer == pass.group.rank()) continue;
    if (own.defined()) add_rows(sent, peer, own);
    if (peer < pass.layout.processes()) add_rows(received, peer, part_of(whole, pass.share_of(peer)));
  }
  pass.group.exchange(sent, received);
  if (own.defined()) part_of(whole, pass.own()).copy_(own);
  return whole;
}

/// Heads [begin, end) of x [B, L, N, D], where kv heads are given and N is a multiple of theirs.
Tensor heads_of(const Tensor& x, const Share& kv_heads, int64_t all_kv_heads) {
  const int64_t per_kv_head = x.size(2) / all_kv_heads;
  return x.narrow(2, kv_heads.begin * per_kv_head, kv_heads.size() * per_kv_head);
}

/// Attention of a process that has some tokens of its rows: it turns them into all tokens of some heads, attends to its
/// part of the cache, and turns the result back. Refers to `pass`.
class SharedAttention final : public AttentionRule {
 public:
  /// Keys and values of this process's tokens, all heads, go to `own` when it is given.
  SharedAttention(const SharedPass& pass, const PassSetting& setting, PassKv* own)
      : pass_(pass),
        share_(pass.own()),
        own_(own),
        cached_(setting.cache, setting.attention, nullptr, {share_.rows.begin, share_.kv_heads}) {}

  Tensor attend(size_t layer, const Tensor& q, const LayerKv& own) override {
    if (own_) (*own_)[layer] = {own.k.contiguous(), own.v.contiguous()};
    const std::vector<Tensor> heads = all_tokens({q, own.k, own.v});
    const LayerKv place = cached_.place(layer, q.size(0), pass_.tokens);
    LayerKv kv{heads[1], heads[2]};
    if (place.k.defined()) {
      place.k.copy_(kv.k);
      place.v.copy_(kv.v);
      kv = place;
    }
    return all_heads(cached_.attend(layer, heads[0], kv));
  }

 private:
  /// Each [b, l, N, D] of this process's tokens -> [b, L, N / P, D] of its heads.
  std::vector<Tensor> all_tokens(const std::vector<Tensor>& parts) const {
    const ProfileRange range(PassPart::exchange);
    std::vector<Tensor> results;
    std::vector<Message> sent, received;
    for (const Tensor& part : parts) {
      const Tensor kept = heads_of(part, share_.kv_heads, pass_.kv_heads);
      const Tensor& result =
          results.emplace_back(at::empty({part.size(0), pass_.tokens, kept.size(2), part.size(3)}, part.options()));
      result.narrow(1, share_.tokens.begin, share_.tokens.size()).copy_(kept);
      for_each_peer([&](int64_t peer, const PassShare& theirs) {
        add_rows(sent, peer, heads_of(part, theirs.kv_heads, pass_.kv_heads).contiguous());
        add_rows(received, peer, result.narrow(1, theirs.tokens.begin, theirs.tokens.size()));
      });
    }
    pass_.group.exchange(sent, received);
    return results;
  }

  /// [b, L, N / P, D] of this process's heads -> [b, l, N, D] of its tokens.
  Tensor all_heads(const Tensor& x) const {
    const ProfileRange range(PassPart::exchange);
    std::vector<Tensor> parts;  // by process, which is the order of heads
    std::vector<Message> sent, received;
    const Share group = pass_.same_rows();
    const int64_t per_kv_head = x.size(2) / share_.kv_heads.size();
    const Tensor whole = x.contiguous();
    for (int64_t peer = group.begin; peer < group.end; ++peer) {
      const PassShare theirs = pass_.share_of(peer);
      const bool is_own = peer == pass_.group.rank();
      parts.push_back(
          is_own ? whole.narrow(1, share_.tokens.begin, share_.tokens.size())
                 : at::empty({x.size(0), share_.tokens.size(), theirs.kv_heads.size() * per_kv_head, x.size(3)},
                             x.options()));
      if (is_own) continue;
      add_rows(sent, peer, whole.narrow(1, theirs.tokens.begin, theirs.tokens.size()));
      add_rows(received, peer, parts.back());
    }
    pass_.group.exchange(sent, received);
    return at::cat(parts, 2);
  }

  template <typename Visit>
  void for_each_peer(Visit&& visit) const {
    const Share group = pass_.same_rows();
    for (int64_t peer = group.begin; peer < group.end; ++peer) {
      if (peer != pass_.group.rank()) visit(peer, pass_.share_of(peer));
    }
  }

  const SharedPass& pass_;
  PassShare share_;
  PassKv* own_;
  CachedAttention cached_;
};

/// The blocks over the part of x that is this process's: [b, l, C].
Tensor run_share(const StarTransformer& model, const SharedPass& pass, Tensor part, const PassSetting& setting,
                 PassKv* own) {
  const PassShare share = pass.own();
  const Rope rope{setting.rope.cos.narrow(0, share.tokens.begin, share.tokens.size()),
                  setting.rope.sin.narrow(0, share.tokens.begin, share.tokens.size())};
  if (pass.layout.tokens == 1) {
    CachedAttention rule(setting.cache, setting.attention, own, {share.rows.begin});
    return model.run_blocks(std::move(part), rope, rule, nullptr, setting.fp8);
  }
  SharedAttention rule(pass, setting, own);
  return model.run_blocks(std::move(part), rope, rule, nullptr, setting.fp8);
}

}  // namespace

PassLayout layout_of(int64_t processes, int64_t rows, int64_t tokens, int64_t kv_heads, at::Device device) {
  const int64_t least = device.is_cpu() ? kMinSharedTokensOnCpu : kMinSharedTokens;
  if (processes == 1 || rows * tokens < least) return {};
  // A row has its own tokens and cache: two halves tell each other nothing before the end.
  const int64_t halves = rows == 2 && processes % 2 == 0 ? 2 : 1;
  return {halves, std::min({processes / halves, kv_heads, tokens})};
}

Tensor SharedBlocks::run(Tensor x, const PassSetting& pass, PassKv* own) const {
  const StarArchitecture& arch = model_.architecture();
  const PassLayout layout =
      pass.reducer ? PassLayout{} : layout_of(group_.size(), x.size(0), x.size(1), arch.kv_heads, x.device());
  if (layout.processes() == 1) return model_.run_blocks(std::move(x), pass, own);
  const SharedPass shared{group_, layout, x.size(0), x.size(1), arch.kv_heads};
  const std::vector<int64_t> sizes = x.sizes().vec();
  const at::TensorOptions options = x.options();
  PassKv part_kv(static_cast<size_t>(arch.layers));
  Tensor hidden;
  if (shared.takes_part()) {
    Tensor part = part_of(x, shared.own()).clone(at::MemoryFormat::Contiguous);  // a view would keep the whole
    x.reset();
    hidden = run_share(model_, shared, std::move(part), pass, own ? &part_kv : nullptr);
  }
  x.reset();
  if (own) {
    own->clear();
    const std::vector<int64_t> kv_sizes = {shared.rows, shared.tokens, arch.kv_heads, arch.head_dim};
    const at::TensorOptions kv_options = options.dtype(model_.kv_dtype());
    for (LayerKv& part : part_kv) {
      const LayerKv kv = std::exchange(part, {});
      own->push_back({gather(shared, kv.k, kv_sizes, kv_options), gather(shared, kv.v, kv_sizes, kv_options)});
    }
  }
  return gather(shared, hidden, sizes, options);
}

}  // namespace faststar
