#pragma once
#include <vector>

#include "core/config/fields.h"

/// Sizes of a model that has no checkpoint yet: only --random-weights reads them. Checkpoints speak for
/// themselves through their shapes.
namespace faststar {

struct TransformerSizes {
  int width = 0;      ///< C
  int heads = 0;      ///< query heads
  int kv_heads = 0;   ///< key and value heads; divides `heads`
  int head_dim = 0;   ///< D
  int ffn_width = 0;  ///< F
  int layers = 0;
  int chunks = 0;     ///< `block_chunks` of the official names; 1 names layers `blocks.N`
  int text_rows = 0;  ///< rows of `cfg_uncond`
};

template <FieldsOf<TransformerSizes> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "width", .range = {8, 65536}}, c.width);
  visit(Field{.name = "heads", .range = {1, 1024}}, c.heads);
  visit(Field{.name = "kv_heads", .range = {1, 1024}}, c.kv_heads);
  visit(Field{.name = "head_width", .range = {8, 1024}}, c.head_dim);
  visit(Field{.name = "ffn_width", .range = {8, 262144}}, c.ffn_width);
  visit(Field{.name = "layers", .range = {1, 1024}}, c.layers);
  visit(Field{.name = "chunks", .range = {1, 1024}}, c.chunks);
  visit(Field{.name = "text_rows", .range = {1, 4096}}, c.text_rows);
}

/// A T5 v1.1 encoder.
struct TextEncoderSizes {
  int width = 0;  ///< d_model
  int heads = 0;
  int head_dim = 0;   ///< d_kv
  int ffn_width = 0;  ///< d_ff
  int layers = 0;
  int vocabulary = 0;
};

template <FieldsOf<TextEncoderSizes> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "width", .range = {8, 65536}}, c.width);
  visit(Field{.name = "heads", .range = {1, 1024}}, c.heads);
  visit(Field{.name = "head_width", .range = {1, 1024}}, c.head_dim);
  visit(Field{.name = "ffn_width", .range = {8, 262144}}, c.ffn_width);
  visit(Field{.name = "layers", .range = {1, 1024}}, c.layers);
  visit(Field{.name = "vocabulary", .range = {3, 1000000}}, c.vocabulary);
}

struct VaeSizes {
  std::vector<int> channels;  ///< block_out_channels: five, finest first
};

template <FieldsOf<VaeSizes> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "channels", .range = {4, 65536}}, c.channels);
}

struct ModelSizes {
  TransformerSizes transformer;
  TextEncoderSizes text_encoder;
  VaeSizes vae;
};

template <FieldsOf<ModelSizes> Self, typename Visitor>
void visit_sections(Self& c, Visitor&& visit) {
  visit("transformer", c.transformer);
  visit("text_encoder", c.text_encoder);
  visit("vae", c.vae);
}

}  // namespace faststar
