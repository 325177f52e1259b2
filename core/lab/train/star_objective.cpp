#include "core/lab/train/star_objective.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <numeric>

namespace faststar {
namespace {

/// Weight of every scale of every clip: [clips * scales], sum 1.
Tensor weights_of_scales(const PackedClips& packed, const StarObjective::Settings& settings, at::Device device) {
  std::vector<double> of_scale;
  double sum = 0;
  for (const Scale& scale : packed.pyramid().scales) {
    of_scale.push_back(std::pow(static_cast<double>(scale.h) * scale.w, settings.loss.scale_exponent));
    sum += of_scale.back();
  }
  double video_latents = 0;
  for (const PackedClip& clip : packed.clips()) video_latents += clip.place == 0 ? 0 : clip.latents;
  std::vector<float> weights;
  for (const PackedClip& clip : packed.clips()) {
    const double of_clip =
        clip.place == 0 ? settings.loss.image : (1 - settings.loss.image) * clip.latents / video_latents;
    for (const double weight : of_scale) weights.push_back(static_cast<float>(of_clip * weight / sum));
  }
  return at::tensor(weights).to(device);
}

}  // namespace

StarObjective::StarObjective(const ResidualQuantizer& quantizer, PackedClips packed, Settings settings,
                             at::Device device)
    : quantizer_(quantizer),
      packed_(std::move(packed)),
      settings_(std::move(settings)),
      rope_(packed_, settings_.star.head_dim, device),
      buckets_(
          relative_position_buckets(packed_.text_length(), settings_.t5.buckets, settings_.t5.max_distance).to(device)),
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
  const T5Encoder encoder({parameters.source(kT5Prefix), batch.ids.device(), settings_.dtype}, settings_.t5);
  const Tensor dropped =
      batch.noise.select(1, batch.noise.size(1) - 1).lt(settings_.noise.dropped_texts).view({-1, 1, 1});
  return at::where(dropped, star.unconditional_text(packed_.text_length()).unsqueeze(0), encoder(batch.ids, buckets_));
}

CodeNoise StarObjective::code_noise(const StarBatch& batch) const {
  std::vector<Tensor> flips;
  int next_latent = 0;
  for (const PackedClip& clip : packed_.clips()) {
    if (clip.first_latent < next_latent) continue;  // a part of another clip, and as spoiled
    const double share = clip.place == 0 ? settings_.noise.image_clips : settings_.noise.video_clips;
    const int64_t pair = 2 * int64_t{clip.place};
    const Tensor flip = batch.noise.select(1, pair).lt(share) * batch.noise.select(1, pair + 1);
    flips.push_back((flip * settings_.noise.most_flips).unsqueeze(1).expand({-1, clip.latents}));
    next_latent += clip.latents;
  }
  return {.flip = at::cat(flips, 1).flatten(), .counter = batch.counter, .seed = settings_.seed};
}

QuantizerTrace StarObjective::trace(const StarBatch& batch, const CodeNoise* noise) const {
  return quantizer_.trace(frames_from_clips(batch.features.to(at::kFloat)), noise, batch.repetition);
}

std::vector<Tensor> StarObjective::bit_logits(const BoundParameters& parameters, const StarBatch& batch,
                                              const Tensor& inputs) const {
  const StarTransformer star({parameters.source(kStarPrefix), inputs.device(), settings_.dtype}, settings_.star);
  const Tensor embedded = at::cat({star.embed_text(texts(parameters, star, batch)), star.embed_tokens(inputs)}, 1);
  const Tensor hidden = star.run_blocks(embedded.to(at::kFloat), rope_(batch.repetition), packed_.attention());
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
                                  settings_.loss.object));
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
