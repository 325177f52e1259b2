#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/weights/weights.h"
#include "core/model/layers.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace faststar {

/// Sizes of a T5 v1.1 encoder (gated GELU, no biases). Read from the checkpoint's shapes.
struct T5Architecture {
  int64_t hidden_size = 0;  ///< d_model
  int64_t heads = 0;
  int64_t head_dim = 0;   ///< d_kv
  int64_t ffn_width = 0;  ///< d_ff
  int64_t layers = 0;
  int64_t vocabulary = 0;
  int64_t buckets = 32;        ///< relative position buckets
  int64_t max_distance = 128;  ///< larger distances share the last bucket; config.json
  double epsilon = 1e-6;       ///< of the layer norms; config.json
};

/// Sizes from the tensors' shapes, and from `config.json` in `folder` what they do not show.
/// Throws Error(model) for a model that is not T5 v1.1.
T5Architecture detect_t5_architecture(const Weights& weights, const std::filesystem::path& folder);

/// Parameters of the encoder, the token embedding included.
int64_t parameter_count(const T5Architecture& arch);

/// Prefixes of tensors of T5 checkpoints that an encoder does not need.
inline const std::vector<std::string> kUnusedT5Tensors = {"decoder.", "lm_head.", "encoder.embed_tokens."};

/// The Flan-T5 encoder (Hugging Face T5EncoderModel).
class T5Encoder {
 public:
  T5Encoder(const Weights& weights, const T5Architecture& arch);
  ~T5Encoder();

  /// ids [T] int64 on any device -> last_hidden_state [T, d_model] float32. The residual stream is float32;
  /// matrix products run in the weights' dtype. Without padding tokens, so that no mask is needed.
  Tensor operator()(const Tensor& ids) const;
  /// Texts of equal length: ids [B, T] and relative_position_buckets of T tokens, both on the weights' device -> [B, T,
  /// d_model].
  Tensor operator()(const Tensor& ids, const Tensor& buckets) const;

 private:
  struct Block;
  T5Architecture arch_;
  Tensor embedding_;      // [vocabulary, d_model]
  Tensor position_bias_;  // [buckets, heads]
  std::vector<Block> blocks_;
  Tensor final_norm_;  // [d_model]
};

/// Bucket of each (query, key) pair of a sequence: [length, length] int64 (T5Attention._relative_position_bucket,
/// bidirectional).
Tensor relative_position_buckets(int64_t length, int64_t buckets, int64_t max_distance);

/// The T5 tokenizer: SentencePiece pieces and the end token.
class Tokenizer {
 public:
  /// Loads an official `spiece.model`. Throws Error(model) when it is missing or not a SentencePiece model.
  explicit Tokenizer(const std::filesystem::path& model);

  struct Encoded {
    std::vector<int64_t> ids;  ///< ends with the end token
    std::string cut;           ///< the text after the limit; empty when everything fits
  };
  /// `text` (UTF-8) as at most `limit` ids, end token included (T5TokenizerFast, truncation).
  Encoded encode(std::string_view text, int64_t limit) const;

  int64_t vocabulary_size() const;

 private:
  std::shared_ptr<sentencepiece::SentencePieceProcessor> processor_;
};

}  // namespace faststar
