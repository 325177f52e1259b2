#include "core/lab/train/star_data.h"

#include <ATen/ATen.h>

#include <set>

#include "core/config/preset.h"
#include "core/lab/world/clip_renderer.h"
#include "support/support.h"

namespace faststar {
namespace {

const Tokenizer& tokenizer() {
  static const Tokenizer tokenizer(preset_file("tiny").parent_path() / "t5" / "spiece.model");
  return tokenizer;
}

CaptionPool make_pool(const World& world, CaptionPool::Settings settings = {.scenes = 400}) {
  return {world, tokenizer(), settings};
}

TEST_CASE("a group is eight scenes with captions of one length", "[train]") {
  const World world({});
  const CaptionPool pool = make_pool(world);
  for (int64_t i = 0; i < 20; ++i) {
    const CaptionBlock& block = pool.block(i);
    CHECK(block.clips.size() == 8);
    const Tensor ids = pool.ids(block);
    CHECK(ids.sizes() == at::IntArrayRef{8, block.text_length});
    CHECK(ids.select(1, block.text_length - 1).eq(1).all().item<bool>());  // the end token
    CHECK(ids.narrow(1, 0, block.text_length - 1).gt(1).all().item<bool>());
    CHECK(pool.records(block).size() == 8);
  }
}

TEST_CASE("workers share the scenes and their lengths are bounded", "[train]") {
  const World world({.two_objects = 0.5});
  for (const int worker : {0, 1}) {
    const CaptionPool pool = make_pool(world, {.scenes = 600, .worker = worker, .workers = 2});
    std::set<int64_t> lengths, clips;
    for (int64_t i = 0; i < 200; ++i) {
      lengths.insert(pool.block(i).text_length);
      clips.insert(pool.block(i).clips.begin(), pool.block(i).clips.end());
    }
    CHECK(lengths.size() > 3);
    CHECK(lengths.size() <= kMaxTextLengths);
    CHECK(std::ranges::all_of(clips, [&](int64_t clip) { return clip % 2 == worker; }));
  }
}

TEST_CASE("too few captions of one length are refused", "[train]") {
  const World world({});
  CHECK(test::error_of([&] { make_pool(world, {.scenes = 8}); }).kind() == ErrorKind::usage);
  CHECK(test::error_of([&] { make_pool(world, {.scenes = 400, .longest_text = 2}); }).kind() == ErrorKind::usage);
}

/// Features that tell which scenes they were made of.
FeatureStore::Encoded colours_of(const std::vector<ClipRecord>& records) {
  const Tensor colours = records_to_tensor(records).sum(1);
  return {colours.view({-1, 1, 1, 1, 1}), -colours.view({-1, 1, 1, 1})};
}

TEST_CASE("what the feature store holds and draws depends on the step alone", "[train]") {
  const World world({});
  const CaptionPool pool = make_pool(world);
  const FeatureStore::Settings settings{.capacity = 64, .first_clips = 32, .refresh_every = 2};
  FeatureStore stepping(pool, settings, colours_of), resumed(pool, settings, colours_of);
  for (int64_t step = 0; step <= 31; ++step) stepping.advance_to(step);
  resumed.advance_to(31);
  for (int64_t step = 31; step < 40; ++step) {
    stepping.advance_to(step);
    resumed.advance_to(step);
    const auto a = stepping.choose(1, 5, step), b = resumed.choose(1, 5, step);
    CHECK(a.text_length == b.text_length);
    const auto clips = stepping.clips(a);
    CHECK(test::same(clips.features, resumed.clips(b).features));
    CHECK(test::same(clips.objects.flatten().to(at::kBFloat16), -clips.features.flatten()));
    CHECK(test::same(stepping.ids(a), resumed.ids(b)));
    CHECK(stepping.ids(a).size(1) == a.text_length);
  }
}

}  // namespace
}  // namespace faststar
