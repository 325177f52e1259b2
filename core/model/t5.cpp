#include "core/model/t5.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <sentencepiece_processor.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/sentencepiece.h"
#include "core/base/weights/mapped_file.h"
#include "core/model/layers.h"

namespace faststar {
namespace {

const char* const kPositionBias = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";
const char* const kQueryProjection = ".layer.0.SelfAttention.q.weight";
const char* const kEmbedding = "shared.weight";

/// Settings that the shapes do not show. Without config.json the T5 v1.1 defaults stay.
void read_config(const std::filesystem::path& path, T5Architecture& arch) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return;
  const MappedFile file(path);
  const std::string text = file.read(0, std::min(file.size(), kMaxModelJsonBytes));
  refuse_lfs_pointer(text, path.string());
  const auto config = parse_json(text);
  if (!config.is_object()) fail(ErrorKind::model, fmt::format("{}: expected a JSON object", path.string()));
  try {
    const auto projection = config.value("feed_forward_proj", std::string("gated-gelu"));
    if (projection != "gated-gelu") {
      fail(ErrorKind::model,
           fmt::format("{}: feed_forward_proj: expected gated-gelu (T5 v1.1), got {}", path.string(), projection));
    }
    if (const auto found = config.find("relative_attention_max_distance"); found != config.end()) {
      arch.max_distance = found->is_number_integer() ? found->get<int64_t>() : 0;
    }
    arch.epsilon = config.value("layer_norm_epsilon", arch.epsilon);
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::model, fmt::format("{}: {}", path.string(), error.what()));
  }
}

/// What relative_position_buckets and rms_norm compute with. Throws Error(model).
void check_settings(const std::filesystem::path& config, const T5Architecture& arch) {
  constexpr int64_t kMaxDistance = 1'000'000;  // tokens: far more than any text
  const int64_t exact = arch.buckets / 4;      // distances with a bucket of their own, in each direction
  if (arch.max_distance <= exact || arch.max_distance > kMaxDistance) {
    fail(ErrorKind::model, fmt::format("{}: relative_attention_max_distance: expected {} to {} for {} buckets, got {}",
                                       config.string(), exact + 1, kMaxDistance, arch.buckets, arch.max_distance));
  }
  if (!(arch.epsilon > 0 && arch.epsilon < 1)) {
    fail(ErrorKind::model, fmt::format("{}: layer_norm_epsilon: expected a number between 0 and 1, got {}",
                                       config.string(), arch.epsilon));
  }
}

/// The largest vocabularies, of 256,000 pieces, take 5 MB.
constexpr int64_t kMaxTokenizerBytes = 64 << 20;

/// T5's `</s>`.
constexpr int kEndToken = 1;

/// False when `bytes` are no model with pieces. The library reports most of that, and throws where it builds a trie of
/// pieces that cannot be.
bool load_pieces(sentencepiece::SentencePieceProcessor& processor, const std::string& bytes) {
  try {
    return processor.LoadFromSerializedProto(bytes).ok() && processor.GetPieceSize() > 0;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

T5Architecture detect_t5_architecture(const Weights& weights, const std::filesystem::path& folder) {
  T5Architecture arch;
  read_config(folder / "config.json", arch);
  const auto embedding = weights.shape_of(kEmbedding);
  const auto bias = weights.shape_of(kPositionBias);
  const auto query = weights.shape_of(fmt::format("encoder.block.0{}", kQueryProjection));
  const auto gate = weights.shape_of("encoder.block.0.layer.1.DenseReluDense.wi_0.weight");
  if (embedding.size() != 2 || bias.size() != 2 || query.size() != 2 || gate.size() != 2 || bias[1] < 1 ||
      bias[0] < 4 || query[0] % bias[1] != 0) {
    fail(ErrorKind::model,
         fmt::format("{}: the tensors' shapes are not those of a T5 v1.1 encoder", weights.source().origin()));
  }
  arch.vocabulary = embedding[0];
  arch.hidden_size = embedding[1];
  arch.buckets = bias[0];
  arch.heads = bias[1];
  arch.head_dim = query[0] / arch.heads;
  arch.ffn_width = gate[0];
  arch.layers = count_layers(weights, "encoder.block.", kQueryProjection);
  check_settings(folder / "config.json", arch);
  return arch;
}

int64_t parameter_count(const T5Architecture& arch) {
  const int64_t attention = 4 * arch.hidden_size * arch.heads * arch.head_dim;
  const int64_t ffn = 3 * arch.hidden_size * arch.ffn_width;
  return arch.vocabulary * arch.hidden_size + arch.layers * (attention + ffn + 2 * arch.hidden_size) +
         arch.buckets * arch.heads + arch.hidden_size;
}

Tensor relative_position_buckets(int64_t length, int64_t buckets, int64_t max_distance) {
  const Tensor position = at::arange(length, at::kLong);
  const Tensor relative = position.unsqueeze(0) - position.unsqueeze(1);  // key - query, [T, T]
  const int64_t half = buckets / 2;
  const int64_t exact = half / 2;
  const Tensor distance = relative.abs();
  const Tensor logarithm = distance.to(at::kFloat).div(static_cast<double>(exact)).log() /
                           std::log(static_cast<double>(max_distance) / static_cast<double>(exact));
  const Tensor far = (exact + logarithm.mul(static_cast<double>(half - exact)).to(at::kLong)).clamp_max(half - 1);
  return relative.gt(0).to(at::kLong) * half + at::where(distance < exact, distance, far);
}

struct T5Encoder::Block {
  /// Reads `<prefix>0.` (attention) and `<prefix>1.` (feed-forward network).
  Block(const Weights& weights, const T5Architecture& arch, const std::string& prefix)
      : q(weights, prefix + "0.SelfAttention.q", arch.hidden_size, arch.heads * arch.head_dim, Linear::Bias::absent),
        k(weights, prefix + "0.SelfAttention.k", arch.hidden_size, arch.heads * arch.head_dim, Linear::Bias::absent),
        v(weights, prefix + "0.SelfAttention.v", arch.hidden_size, arch.heads * arch.head_dim, Linear::Bias::absent),
        o(weights, prefix + "0.SelfAttention.o", arch.heads * arch.head_dim, arch.hidden_size, Linear::Bias::absent),
        wi_0(weights, prefix + "1.DenseReluDense.wi_0", arch.hidden_size, arch.ffn_width, Linear::Bias::absent),
        wi_1(weights, prefix + "1.DenseReluDense.wi_1", arch.hidden_size, arch.ffn_width, Linear::Bias::absent),
        wo(weights, prefix + "1.DenseReluDense.wo", arch.ffn_width, arch.hidden_size, Linear::Bias::absent),
        attention_norm(weights.get(prefix + "0.layer_norm.weight", {arch.hidden_size}, at::kFloat)),
        ffn_norm(weights.get(prefix + "1.layer_norm.weight", {arch.hidden_size}, at::kFloat)) {}

  /// x [B, T, C] float32; bias [1, N, T, T] in the weights' dtype.
  Tensor operator()(const Tensor& x, const Tensor& bias, const T5Architecture& arch) const {
    const Tensor attended =
        x + attend(rms_norm(x, attention_norm, arch.epsilon).to(q.dtype), bias, arch).to(at::kFloat);
    return attended + feed_forward(rms_norm(attended, ffn_norm, arch.epsilon).to(q.dtype)).to(at::kFloat);
  }

  Linear q, k, v, o, wi_0, wi_1, wo;
  Tensor attention_norm;  // [C] float32, as rms_norm computes in it
  Tensor ffn_norm;        // [C] float32

 private:
  Tensor attend(const Tensor& x, const Tensor& bias, const T5Architecture& arch) const {
    const auto split_heads = [&](const Tensor& t) {
      return t.unflatten(-1, {arch.heads, arch.head_dim}).transpose(1, 2);  // [B, N, T, D]
    };
    // T5 does not scale the scores.
    const Tensor attended =
        at::scaled_dot_product_attention(split_heads(q(x)), split_heads(k(x)), split_heads(v(x)), bias,
                                         /*dropout_p=*/0.0, /*is_causal=*/false, /*scale=*/1.0);
    return o(attended.transpose(1, 2).flatten(2));
  }

  Tensor feed_forward(const Tensor& x) const { return wo(at::gelu(wi_0(x), "tanh") * wi_1(x)); }
};

T5Encoder::T5Encoder(const Weights& weights, const T5Architecture& arch)
    : arch_(arch),
      embedding_(weights.get(kEmbedding, {arch.vocabulary, arch.hidden_size})),
      position_bias_(weights.get(kPositionBias, {arch.buckets, arch.heads})),
      final_norm_(weights.get("encoder.final_layer_norm.weight", {arch.hidden_size}, at::kFloat)) {
  for (int64_t layer = 0; layer < arch.layers; ++layer) {
    blocks_.emplace_back(weights, arch, fmt::format("encoder.block.{}.layer.", layer));
  }
}

T5Encoder::~T5Encoder() = default;

Tensor T5Encoder::operator()(const Tensor& ids) const {
  const Tensor buckets = relative_position_buckets(ids.size(0), arch_.buckets, arch_.max_distance);
  return (*this)(ids.to(embedding_.device()).unsqueeze(0), buckets.to(position_bias_.device())).squeeze(0);
}

Tensor T5Encoder::operator()(const Tensor& ids, const Tensor& buckets) const {
  const Tensor bias = position_bias_.index_select(0, buckets.flatten())
                          .view({buckets.size(0), buckets.size(1), arch_.heads})
                          .permute({2, 0, 1})
                          .unsqueeze(0)
                          .contiguous();  // [1, N, T, T]
  Tensor x =
      embedding_.index_select(0, ids.flatten()).unflatten(0, {ids.size(0), ids.size(1)}).to(at::kFloat);  // [B, T, C]
  for (const Block& block : blocks_) x = block(x, bias, arch_);
  return rms_norm(x, final_norm_, arch_.epsilon);
}

Tokenizer::Tokenizer(const std::filesystem::path& model)
    : processor_(std::make_shared<sentencepiece::SentencePieceProcessor>()) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(model, ignored)) {
    fail(ErrorKind::model, fmt::format("{}: the tokenizer is missing", model.string()),
         "a T5 folder needs spiece.model next to the weights");
  }
  const MappedFile file(model);
  if (file.size() > kMaxTokenizerBytes) {
    fail(ErrorKind::model, fmt::format("{}: {} bytes, too large for a tokenizer", model.string(), file.size()));
  }
  const std::string bytes = file.read(0, file.size());
  refuse_lfs_pointer(bytes, model.string());
  check_sentencepiece_model(bytes, model.string());
  if (!load_pieces(*processor_, bytes)) {
    fail(ErrorKind::model, fmt::format("{}: expected a SentencePiece model, got something else", model.string()));
  }
  if (processor_->eos_id() != kEndToken) {
    fail(ErrorKind::model, fmt::format("{}: expected a T5 vocabulary with the end token at id {}, got {}",
                                       model.string(), kEndToken, processor_->eos_id()));
  }
}

Tokenizer::Encoded Tokenizer::encode(std::string_view text, int64_t limit) const {
  const std::string owned(text);
  Encoded encoded;
  const auto proto = processor_->EncodeAsImmutableProto(owned);  // the pieces point into it
  for (const auto& piece : proto.pieces()) {
    if (static_cast<int64_t>(encoded.ids.size()) == limit - 1) {
      encoded.cut = owned.substr(piece.begin());
      break;
    }
    encoded.ids.push_back(piece.id());
  }
  encoded.ids.push_back(kEndToken);
  return encoded;
}

int64_t Tokenizer::vocabulary_size() const { return processor_->GetPieceSize(); }

}  // namespace faststar
