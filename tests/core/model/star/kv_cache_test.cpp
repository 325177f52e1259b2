#include "core/model/star/kv_cache.h"

#include <ATen/ATen.h>

#include "support/support.h"

namespace faststar {
namespace {

constexpr size_t kLayers = 2;
constexpr int64_t kHeads = 4;
constexpr int64_t kKvHeads = 2;
constexpr int64_t kHeadDim = 16;

/// Random keys and values of `rows` x `tokens` in every layer.
PassKv random_kv(int64_t rows, int64_t tokens, uint64_t seed, at::Device device) {
  PassKv pass;
  for (size_t layer = 0; layer < kLayers; ++layer) {
    const auto random = [&](uint64_t of) {
      return test::seeded_randn({rows, tokens, kKvHeads, kHeadDim}, 100 * seed + 10 * layer + of, device);
    };
    pass.push_back({random(0), random(1)});
  }
  return pass;
}

/// What one layer of a pass with these keys and values gives: written to where the rule places them, as a layer does.
Tensor run_layer(AttentionRule& rule, size_t layer, const Tensor& q, const LayerKv& own) {
  const LayerKv place = rule.place(layer, q.size(0), q.size(1));
  if (!place.k.defined()) return rule.attend(layer, q, own);
  place.k.copy_(own.k);
  place.v.copy_(own.v);
  return rule.attend(layer, q, place);
}

/// Keys and values of row `row` of each of the parts, joined.
LayerKv joined_row(const std::vector<LayerKv>& parts, int64_t row) {
  std::vector<Tensor> k, v;
  for (const LayerKv& part : parts) {
    k.push_back(part.k.narrow(0, row, 1));
    v.push_back(part.v.narrow(0, row, 1));
  }
  return {at::cat(k, 1), at::cat(v, 1)};
}

/// Equal bits on the CPU; on a GPU kernels may differ by where rows lie.
void check_equal(const Tensor& a, const Tensor& b) {
  if (a.is_cpu()) {
    CHECK(test::same(a, b));
  } else {
    CHECK(test::relative_error(a, b) < 1e-5);
  }
}

TEST_CASE("a pass sees text, references and itself, wherever its keys and values lie", "[star][attention]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const int64_t room = GENERATE(0, 5, 40);
  const int64_t tokens = GENERATE(1, 7, 33);
  const int references = GENERATE(0, 1, 2);
  const bool equal_texts = GENERATE(true, false);
  CAPTURE(device, room, tokens, references, equal_texts);
  std::vector<PassKv> text = {random_kv(equal_texts ? 2 : 1, 6, 1, device)};
  if (!equal_texts) text.push_back(random_kv(1, 9, 2, device));
  std::vector<PassKv> others;
  for (int i = 0; i < references; ++i) others.push_back(random_kv(2, 11 + i, 3 + i, device));
  const PassKv own = random_kv(2, tokens, 8, device);
  const Tensor q = test::seeded_randn({2, tokens, kHeads, kHeadDim}, 9, device);

  const KvCache cache(text, others, room);
  CHECK(cache.length() == (equal_texts ? 6 : 9) + 11 * references + (references == 2 ? 1 : 0));
  PassKv left(kLayers);
  CachedAttention rule(cache, AttentionBackend::aten, &left);
  for (size_t layer = 0; layer < kLayers; ++layer) {
    const Tensor attended = run_layer(rule, layer, q, own[layer]);
    for (const int64_t row : {0, 1}) {
      // The text of a row alone is row 0 of its entry.
      const size_t entry = equal_texts ? 0 : static_cast<size_t>(row);
      LayerKv words = text[entry][layer];
      if (!equal_texts) words = {words.k.expand({2, -1, -1, -1}), words.v.expand({2, -1, -1, -1})};
      std::vector<LayerKv> parts = {words};
      for (const PassKv& reference : others) parts.push_back(reference[layer]);
      parts.push_back(own[layer]);
      const LayerKv read = joined_row(parts, row);
      check_equal(attended.narrow(0, row, 1), attend(q.narrow(0, row, 1), read.k, read.v, AttentionBackend::aten));
    }
    CHECK(test::same(left[layer].k, own[layer].k));
    CHECK(test::same(left[layer].v, own[layer].v));
    CHECK(left[layer].k.is_contiguous());
  }
}

TEST_CASE("a pass of one row reads the first row of a cache of two", "[star][attention]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const int64_t room = GENERATE(0, 8);
  const int64_t length_of_second = GENERATE(5, 9);
  const std::vector<PassKv> text = {random_kv(1, 5, 1, device), random_kv(1, length_of_second, 2, device)};
  const KvCache both(text, {random_kv(2, 4, 3, device)}, room);
  PassKv first_row = random_kv(2, 4, 3, device);
  for (LayerKv& layer : first_row) layer = {layer.k.narrow(0, 0, 1), layer.v.narrow(0, 0, 1)};
  const KvCache alone({text[0]}, {first_row}, room);
  const PassKv own = random_kv(1, 3, 4, device);
  const Tensor q = test::seeded_randn({1, 3, kHeads, kHeadDim}, 9, device);
  CachedAttention of_two(both, AttentionBackend::aten), of_one(alone, AttentionBackend::aten);
  check_equal(run_layer(of_two, 1, q, own[1]), run_layer(of_one, 1, q, own[1]));
}

TEST_CASE("new references take the place of the ones before, and one row of them serves all", "[star][attention]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const PassKv text = random_kv(2, 5, 1, device);
  const PassKv row = random_kv(1, 7, 2, device);
  PassKv rows;
  for (const LayerKv& layer : row) rows.push_back({at::cat({layer.k, layer.k}), at::cat({layer.v, layer.v})});
  KvCache cache({text}, {random_kv(2, 4, 3, device)}, 2);
  cache.set_references({row});
  const KvCache expected({text}, {rows}, 2);
  CHECK(cache.length() == 12);
  CHECK(cache.capacity() == 14);
  for (size_t layer = 0; layer < kLayers; ++layer) {
    CHECK(test::same(cache.layer(layer).k.narrow(1, 0, 12), expected.layer(layer).k.narrow(1, 0, 12)));
    CHECK(test::same(cache.layer(layer).v.narrow(1, 0, 12), expected.layer(layer).v.narrow(1, 0, 12)));
  }
}

TEST_CASE("a short pass writes behind the context of its layer, a long one leaves it as it is", "[star][attention]") {
  const KvCache cache({random_kv(2, 5, 1, at::kCPU)}, {}, 3);
  const Tensor before = cache.layer(0).k.narrow(1, 0, 5).clone();
  CachedAttention rule(cache, AttentionBackend::aten);
  CHECK(rule.place(0, 2, 3).k.is_alias_of(cache.layer(0).k));
  const LayerKv place = rule.place(0, 2, 4);
  CHECK_FALSE(place.k.is_alias_of(cache.layer(0).k));
  place.k.fill_(1);
  CHECK(test::same(cache.layer(0).k.narrow(1, 0, 5), before));
}

TEST_CASE("without a context a pass keeps its own keys and values, uncopied", "[star][attention]") {
  const KvCache none;
  PassKv left(kLayers);
  CachedAttention rule(none, AttentionBackend::aten, &left);
  const PassKv own = random_kv(2, 5, 1, at::kCPU);
  CHECK_FALSE(rule.place(0, 2, 5).k.defined());
  rule.attend(0, test::seeded_randn({2, 5, kHeads, kHeadDim}, 2), own[0]);
  CHECK(left[0].k.is_same(own[0].k));
}

}  // namespace
}  // namespace faststar
