#include "core/lab/train/star_objective.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "core/model/star/attention.h"
#include "core/model/vae/architecture.h"

namespace faststar {
namespace {

int64_t tokens_of(const Scale& scale, int64_t latents) { return latents * scale.h * scale.w; }

/// Absolute latent frames of a clip.
std::vector<int> frames_of(const PackedClip& clip) {
  std::vector<int> frames(static_cast<size_t>(clip.latents));
  std::iota(frames.begin(), frames.end(), clip.first_latent);
  return frames;
}

Tensor attend_to(const Tensor& q, const std::vector<Tensor>& k, const std::vector<Tensor>& v) {
  return attend(q, k.size() == 1 ? k[0] : at::cat(k, 1), v.size() == 1 ? v[0] : at::cat(v, 1), AttentionBackend::aten);
}

/// Every layer attends to the scales of a packed sequence.
class PackedAttention final : public AttentionRule {
 public:
  explicit PackedAttention(const PackedClips& packed) : packed_(packed) {}
  Tensor attend(size_t, const Tensor& q, const LayerKv& own) override { return packed_.attend(q, own.k, own.v); }

 private:
  const PackedClips& packed_;
};

/// Weight of every scale of every clip: [clips * scales], sum 1.
Tensor weights_of_scales(const PackedClips& packed, const StarObjective::Settings& settings, at::Device device) {
  std::vector<double> of_scale;
  double sum = 0;
  for (const Scale& scale : packed.pyramid().scales) {
    of_scale.push_back(std::pow(static_cast<double>(scale.h) * scale.w, settings.plan.loss.scale_exponent));
    sum += of_scale.back();
  }
  double video_latents = 0;
  for (const PackedClip& clip : packed.clips()) video_latents += clip.place == 0 ? 0 : clip.latents;
  std::vector<float> weights;
  for (const PackedClip& clip : packed.clips()) {
    const double of_clip =
        clip.place == 0 ? settings.plan.loss.image : (1 - settings.plan.loss.image) * clip.latents / video_latents;
    for (const double weight : of_scale) weights.push_back(static_cast<float>(of_clip * weight / sum));
  }
  return at::tensor(weights).to(device);
}

}  // namespace

Tensor objects_in_features(const Tensor& coverage) {
  constexpr int64_t kSeen = 2 * kFramesPerLatent;
  const Tensor since_start = at::constant_pad_nd(coverage, {0, 0, 0, 0, kSeen - 1, 0});
  return at::max_pool3d(since_start, {kSeen, kPixelsPerFeature, kPixelsPerFeature},
                        {kFramesPerLatent, kPixelsPerFeature, kPixelsPerFeature})
      .squeeze(1);
}

Tensor scale_loss(const Tensor& logits, const Tensor& bits, const Scale& scale, const Tensor& objects, double object) {
  const Tensor truth = bits.to(at::kFloat);
  if (object == 0) return at::binary_cross_entropy_with_logits(logits, truth);
  const Tensor seen = std::get<0>(at::adaptive_max_pool2d(objects, {scale.h, scale.w}));
  const Tensor weight = (seen * object + 1).flatten(1).unsqueeze(-1);  // [B, t h w, 1]
  return at::binary_cross_entropy_with_logits(logits, truth, weight / weight.mean());
}

std::vector<PackedClip> packed_video(int video_clips, int latents_per_clip, bool half_clip) {
  std::vector<PackedClip> clips = {PackedClip{}};
  for (int i = 0; i < video_clips; ++i) {
    clips.push_back({.place = i + 1, .first_latent = 1 + i * latents_per_clip, .latents = latents_per_clip});
  }
  if (half_clip) clips.push_back({.place = 1, .first_latent = 1, .latents = latents_per_clip / 2});
  return clips;
}

PackedClips::PackedClips(PyramidShape pyramid, std::vector<PackedClip> clips, int64_t text_length)
    : pyramid_(std::move(pyramid)), clips_(std::move(clips)), text_length_(text_length) {
  lengths_.push_back(text_length);
  for (const PackedClip& clip : clips_) {
    for (const Scale& scale : pyramid_.scales) lengths_.push_back(tokens_of(scale, clip.latents));
  }
}

std::span<const int64_t> PackedClips::scale_lengths(size_t clip) const {
  const size_t scales = pyramid_.scales.size();
  return std::span(lengths_).subspan(1 + clip * scales, scales);
}

Tensor PackedClips::attend(const Tensor& q, const Tensor& k, const Tensor& v) const {
  // Split, not slices: the backward of a slice is a tensor of zeros of the whole sequence's size.
  const auto split = [this](const Tensor& packed) { return packed.split_with_sizes(lengths_, 1); };
  return at::cat(attend_scales(split(q), split(k), split(v)), 1);
}

std::vector<Tensor> PackedClips::attend_scales(const std::vector<Tensor>& q, const std::vector<Tensor>& k,
                                               const std::vector<Tensor>& v) const {
  const size_t scales = pyramid_.scales.size();
  std::vector<Tensor> attended = {attend_to(q[0], {k[0]}, {v[0]})};
  for (size_t clip = 0; clip < clips_.size(); ++clip) {
    Tensor context_k = k[0], context_v = v[0];
    if (const auto place = static_cast<size_t>(clips_[clip].place); place > 0) {
      const size_t last_before = place * scales;  // behind the text, the last scale of the clip before
      context_k = at::cat({k[0], k[last_before]}, 1);
      context_v = at::cat({v[0], v[last_before]}, 1);
    }
    for (size_t i = 1 + clip * scales; i < 1 + (clip + 1) * scales; ++i) {
      attended.push_back(attend_to(q[i], {context_k, k[i]}, {context_v, v[i]}));
    }
  }
  return attended;
}

Tensor PackedClips::pack(const std::vector<Tensor>& maps, int64_t batch) const {
  std::vector<Tensor> tokens;
  for (const PackedClip& clip : clips_) {
    for (const Tensor& map : maps) {
      const Tensor own = map.unflatten(0, {batch, -1}).narrow(1, clip.first_latent, clip.latents);  // [B, t, C, h w]
      tokens.push_back(own.transpose(2, 3).flatten(1, 2));
    }
  }
  return at::cat(tokens, 1);
}

PackedRope::PackedRope(const PackedClips& packed, int64_t head_dim, at::Device device)
    : text_(text_rope(packed.text_length(), head_dim, device)) {
  const PyramidShape& pyramid = packed.pyramid();
  const int repetitions_of_clip = std::reduce(pyramid.repetitions.begin(), pyramid.repetitions.end());
  for (const PackedClip& clip : packed.clips()) {
    const std::vector<int> frames = frames_of(clip);
    int index = clip.place * repetitions_of_clip;  // of the repetition over all clips of the video
    for (size_t k = 0; k < pyramid.scales.size(); ++k) {
      const Scale& full = pyramid.scales.back();
      const Scale grid = {clip.latents, pyramid.scales[k].h, pyramid.scales[k].w};
      std::vector<Tensor> cos, sin;
      for (int r = 0; r < pyramid.repetitions[k]; ++r, ++index) {
        const RopePositions positions{kVisualScaleStart + index, frames, grid, {clip.latents, full.h, full.w}};
        const Rope rope = visual_rope(positions, head_dim, device);
        cos.push_back(rope.cos);
        sin.push_back(rope.sin);
      }
      tables_.push_back({static_cast<int64_t>(k), at::stack(cos), at::stack(sin)});
    }
  }
}

Rope PackedRope::operator()(const Tensor& repetition) const {
  std::vector<Tensor> cos = {text_.cos}, sin = {text_.sin};
  for (const Table& table : tables_) {
    const Tensor chosen = repetition.narrow(0, table.scale, 1);
    cos.push_back(table.cos.index_select(0, chosen).squeeze(0));
    sin.push_back(table.sin.index_select(0, chosen).squeeze(0));
  }
  return {at::cat(cos), at::cat(sin)};
}

StarObjective::StarObjective(const ResidualQuantizer& quantizer, PackedClips packed, Settings settings,
                             at::Device device)
    : quantizer_(quantizer),
      packed_(std::move(packed)),
      settings_(std::move(settings)),
      rope_(packed_, settings_.plan.star.head_dim, device),
      buckets_(
          relative_position_buckets(packed_.text_length(), settings_.plan.t5.buckets, settings_.plan.t5.max_distance)
              .to(device)),
      scale_weights_(weights_of_scales(packed_, settings_, device)) {
  find_segments();
}

void StarObjective::find_segments() {
  const auto scales = packed_.pyramid().scales.size();
  const auto semantic = static_cast<size_t>(packed_.pyramid().semantic_scales);
  int64_t start = packed_.text_length();
  for (size_t clip = 0; clip < packed_.clips().size(); ++clip) {
    const auto lengths = packed_.scale_lengths(clip);
    for (const Head head : {Head::semantic, Head::detail}) {
      const size_t first = head == Head::semantic ? 0 : semantic;
      const size_t end = head == Head::semantic ? semantic : scales;
      const auto own = lengths.subspan(first, end - first);
      const int64_t length = std::reduce(own.begin(), own.end(), int64_t{0});
      segments_.push_back({clip, first, end, start, length, head});
      start += length;
    }
  }
}

std::vector<std::string> StarObjective::statistics(const PyramidShape& pyramid, const std::vector<PackedClip>& clips) {
  std::vector<std::string> names = {"loss"};
  for (size_t i = 0; i < clips.size(); ++i) {
    const auto place = static_cast<size_t>(clips[i].place);
    const std::string clip = place == 0 ? "image" : fmt::format("{} {}", place == i ? "video" : "half", place);
    for (const Scale& scale : pyramid.scales) names.push_back(fmt::format("{} {}x{}", clip, scale.h, scale.w));
  }
  return names;
}

/// Every text as the transformer gets it: [B, length, text width] float32.
Tensor StarObjective::texts(const BoundParameters& parameters, const StarTransformer& star,
                            const StarBatch& batch) const {
  const T5Encoder encoder({parameters.source(kT5Prefix), batch.ids.device(), settings_.dtype}, settings_.plan.t5);
  const Tensor dropped =
      batch.noise.select(1, batch.noise.size(1) - 1).lt(settings_.plan.noise.dropped_texts).view({-1, 1, 1});
  return at::where(dropped, star.unconditional_text(packed_.text_length()).unsqueeze(0), encoder(batch.ids, buckets_));
}

CodeNoise StarObjective::code_noise(const StarBatch& batch) const {
  std::vector<Tensor> flips;
  int next_latent = 0;
  for (const PackedClip& clip : packed_.clips()) {
    if (clip.first_latent < next_latent) continue;  // part of another clip: the same noise
    const double share = clip.place == 0 ? settings_.plan.noise.image_clips : settings_.plan.noise.video_clips;
    const int64_t pair = 2 * int64_t{clip.place};
    const Tensor flip = batch.noise.select(1, pair).lt(share) * batch.noise.select(1, pair + 1);
    flips.push_back((flip * settings_.plan.noise.most_flips).unsqueeze(1).expand({-1, clip.latents}));
    next_latent += clip.latents;
  }
  return {.flip = at::cat(flips, 1).flatten(), .counter = batch.counter, .seed = settings_.seed};
}

QuantizerTrace StarObjective::trace(const StarBatch& batch, const CodeNoise* noise) const {
  return quantizer_.trace(frames_from_clips(batch.features.to(at::kFloat)), noise, batch.repetition);
}

std::vector<Tensor> StarObjective::bit_logits(const BoundParameters& parameters, const StarBatch& batch,
                                              const Tensor& inputs) const {
  const StarTransformer star({parameters.source(kStarPrefix), inputs.device(), settings_.dtype}, settings_.plan.star);
  const Tensor embedded = at::cat({star.embed_text(texts(parameters, star, batch)), star.embed_tokens(inputs)}, 1);
  PackedAttention attention(packed_);
  const Tensor hidden = star.run_blocks(embedded.to(at::kFloat), rope_(batch.repetition), attention);
  std::vector<int64_t> lengths = {packed_.text_length()};
  for (const Segment& segment : segments_) lengths.push_back(segment.length);
  const std::vector<Tensor> parts = hidden.split_with_sizes(lengths, 1);
  std::vector<Tensor> differences;
  for (size_t i = 0; i < segments_.size(); ++i) {
    const Tensor pairs = star.logits(parts[i + 1], segments_[i].head).unflatten(-1, {-1, 2});
    differences.push_back(pairs.select(-1, 1) - pairs.select(-1, 0));
  }
  return differences;
}

Tensor StarObjective::scale_losses(const std::vector<Tensor>& bit_logits, const QuantizerTrace& trace,
                                   const Tensor& objects) const {
  std::vector<Tensor> losses;
  for (size_t i = 0; i < segments_.size(); ++i) {
    const Segment& segment = segments_[i];
    const PackedClip& clip = packed_.clips()[segment.clip];
    const Tensor own_objects = objects.narrow(1, clip.first_latent, clip.latents);
    const auto lengths =
        packed_.scale_lengths(segment.clip).subspan(segment.first_scale, segment.end_scale - segment.first_scale);
    const std::vector<Tensor> logits =
        bit_logits[i].split_with_sizes(at::IntArrayRef(lengths.data(), lengths.size()), 1);
    for (size_t k = segment.first_scale; k < segment.end_scale; ++k) {
      const Tensor bits = trace.targets[k]
                              .unflatten(0, {objects.size(0), -1})
                              .narrow(1, clip.first_latent, clip.latents)
                              .transpose(2, 3)
                              .flatten(1, 2);  // [B, t h w, d]
      losses.push_back(scale_loss(logits[k - segment.first_scale], bits, packed_.pyramid().scales[k], own_objects,
                                  settings_.plan.loss.object));
    }
  }
  return at::stack(losses);
}

BatchLoss StarObjective::operator()(const BoundParameters& parameters, const StarBatch& batch) const {
  const CodeNoise noise = code_noise(batch);
  const QuantizerTrace traced = trace(batch, &noise);
  const auto logits = bit_logits(parameters, batch, packed_.pack(traced.inputs, batch.ids.size(0)));
  const Tensor losses = scale_losses(logits, traced, batch.objects);
  const Tensor loss = losses.dot(scale_weights_);
  return {loss, at::cat({loss.detach().view({1}), losses.detach()})};
}

}  // namespace faststar
