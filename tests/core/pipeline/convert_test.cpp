#include "core/pipeline/convert.h"

#include <ATen/ATen.h>

#include "core/base/weights/conversion.h"
#include "core/base/weights/safetensors.h"
#include "core/lab/train/model_weights.h"
#include "core/pipeline/pipeline.h"
#include "core/pipeline/request.h"
#include "support/stop_after.h"
#include "support/support.h"

namespace faststar {
namespace {
namespace fs = std::filesystem;

using test::error_of;
using test::TempDir;

ModelFolder model_at(const fs::path& folder) {
  return resolve_model({.folder = folder.string(), .folder_origin = "--model", .preset = {}});
}

int64_t convert(const fs::path& source, const ConversionPlan& plan) {
  SilentProgress progress;
  return convert_model(model_at(source), plan, progress);
}

/// A small model of the embedded kind in float32, as nobody stores it: conversion has to round.
void write_wide_model(const fs::path& folder) {
  const fs::path tiny = embedded_model_dir();
  ModelSizes sizes = *read_preset(tiny / "model.yaml").architecture;
  sizes.transformer.layers = 2;
  sizes.transformer.hidden_size = 64;
  sizes.transformer.ffn_width = 96;
  sizes.vae.block_out_channels = {8, 16, 16, 16, 16};
  for (const char* part : {"transformer", "t5"}) fs::create_directories(folder / part);
  write_safetensors(folder / "transformer/model.safetensors", initial_star(sizes.transformer, 1), {}, Existing::refuse);
  write_safetensors(folder / "vae.safetensors", initial_vae(sizes.vae, 2), {}, Existing::refuse);
  write_safetensors(folder / "t5/model.safetensors", initial_t5(sizes.text_encoder, 3), {}, Existing::refuse);
  fs::copy_file(tiny / "t5/spiece.model", folder / "t5/spiece.model");
  fs::copy_file(tiny / "model.yaml", folder / "model.yaml");
}

struct Made {
  Tensor codes;
  Tensor frames;
};

/// A picture by the model in `folder`.
Made make_picture(const fs::path& folder, const std::string& precision, at::Device device,
                  LinearPrecision linears = LinearPrecision::backbone) {
  const TempDir out;
  ResolvedSettings resolved = resolve_settings({.flags = {{"model", folder.string()},
                                                          {"prompt", "a red ball"},
                                                          {"seed", "7"},
                                                          {"precision", precision},
                                                          {"device", device.str()},
                                                          {"output", (out / "p.png").string()}},
                                                .config = ""});
  Request request = make_request(Task::text_to_image, resolved);
  request.setup.linears = linears;
  request.generation.linears = linears;
  Model model(request.setup);
  const Pipeline pipeline(model);
  const TextFeatures text = pipeline.encode_text(request.model_prompt, request.text_limit);
  const Tensor codes = pipeline.generate(request.schedule, request.generation, {.text = text});
  return {codes.cpu(), pipeline.decode(codes).cpu()};
}

}  // namespace

TEST_CASE("a converted model gives the same codes and frames as its source in the same precision", "[engine]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const TempDir folder;
  write_wide_model(folder / "wide");
  const auto check = [&](const fs::path& source, const std::string& precision) {
    CAPTURE(source, precision);
    convert(source, {.folder = folder / "fast", .existing = Existing::replace});
    const Made expected = make_picture(source, precision, device),
               made = make_picture(folder / "fast", precision, device);
    CHECK(test::same(made.codes, expected.codes));
    CHECK(test::same(made.frames, expected.frames));
  };
  check(folder / "wide", "bf16");
  check(embedded_model_dir(), "fp32");  // whose weights are bf16
}

TEST_CASE("a model converted to 8 bits gives the same codes as its source in 8 bits", "[engine]") {
  const TempDir folder;
  write_wide_model(folder / "wide");
  convert(folder / "wide", {.folder = folder / "fast", .existing = Existing::refuse, .linears = LinearPrecision::fp8});
  const Made expected = make_picture(folder / "wide", "bf16", at::kCPU, LinearPrecision::fp8),
             made = make_picture(folder / "fast", "bf16", at::kCPU, LinearPrecision::fp8);
  CHECK(test::same(made.codes, expected.codes));
  CHECK_FALSE(test::same(make_picture(folder / "wide", "bf16", at::kCPU).codes, expected.codes));
}

TEST_CASE("a conversion keeps what inference needs, and says where it is from", "[engine]") {
  const TempDir folder;
  write_wide_model(folder / "wide");
  const fs::path fast = folder / "fast";
  const int64_t bytes = convert(folder / "wide", {.folder = fast, .existing = Existing::refuse});
  int64_t found = 0;
  for (const char* name : {"transformer/model.safetensors", "vae.safetensors", "t5/model.safetensors"}) {
    found += static_cast<int64_t>(fs::file_size(fast / name));
    const auto source = open_checkpoint(fast / name);
    REQUIRE(source->conversion());
    CHECK(source->conversion()->precision == "bf16");
    CHECK(fingerprint(*source) == fingerprint(*open_checkpoint(folder / "wide" / name)));
  }
  CHECK(found == bytes);
  const auto stored = open_safetensors(fast / "transformer/model.safetensors");
  CHECK(stored->tensors().at("blocks.1.attn.qkv_proj.weight").shape == std::vector<int64_t>{512, 64});
  CHECK(stored->tensors().at("blocks.1.mlp.gate_up_proj.weight").shape == std::vector<int64_t>{192, 64});
  CHECK(stored->tensors().at("blocks.0.attn.o_proj.weight").dtype == at::kBFloat16);
  CHECK(stored->tensors().at("head.weight").dtype == at::kFloat);  // computed in float32
  CHECK_FALSE(stored->tensors().contains("blocks.0.attn.q_proj.weight"));
  CHECK(open_checkpoint(fast / "transformer")->tensors().contains("blocks.0.attn.q_proj.weight"));
}

TEST_CASE("matrices of the transformer's layers are stored in 8 bits as a run rounds them", "[engine]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const TempDir folder;
  write_wide_model(folder / "wide");
  convert(folder / "wide", {.folder = folder / "fast", .existing = Existing::refuse, .linears = LinearPrecision::fp8});
  const auto wide = open_checkpoint(folder / "wide/transformer"), fast = open_checkpoint(folder / "fast/transformer");
  CHECK(fast->conversion()->precision == "fp8");
  CHECK(fast->tensors().at("word_embed.weight").dtype == at::kBFloat16);
  const std::string layer = "blocks.1.mlp.up_proj";
  CHECK(fast->tensors().at(layer + ".weight").dtype == at::kFloat8_e4m3fn);
  CHECK(fast->tensors().at(scale_name(layer + ".weight")).shape == std::vector<int64_t>{96});
  const auto loaded = [&](const auto& source) {
    const Weights weights(source, device, at::kBFloat16);
    return Linear(weights, "blocks.1.mlp", {"gate_up_proj", {{"gate_proj", 96}, {"up_proj", 96}}}, 64,
                  Linear::Bias::absent, LinearPrecision::fp8)
        .fp8.value();
  };
  CHECK(at::equal(loaded(fast).values.to(at::kFloat), loaded(wide).values.to(at::kFloat)));
  CHECK(test::relative_error(loaded(fast).scale, loaded(wide).scale) < 1e-6);
  CHECK(loaded(fast).values.sizes() == at::IntArrayRef{192, 64});
  // In another precision they are read as what they stand for.
  const auto read = [&](const auto& source) {
    return Weights(source, at::kCPU, at::kFloat).get(layer + ".weight", {96, 64});
  };
  const double error = test::relative_error(read(fast), read(wide));
  CHECK(error > 0);
  CHECK(error < 0.07);  // half a step of E4M3 is 1/16
}

TEST_CASE("a model in 8 bits asks for its files as they are", "[engine]") {
  const TempDir folder;
  convert(embedded_model_dir(),
          {.folder = folder / "fast", .existing = Existing::refuse, .linears = LinearPrecision::fp8});
  const auto dtype_in = [](const fs::path& model, LinearPrecision linears) {
    Checkpoints open = open_model(model_at(model));
    open.star_architecture.linears = linears;
    return transformer_requests(open, at::kBFloat16).at("blocks.0.mlp.up_proj.weight").dtype;
  };
  CHECK(dtype_in(embedded_model_dir(), LinearPrecision::fp8) == at::kBFloat16);
  CHECK(dtype_in(embedded_model_dir(), LinearPrecision::both) == at::kBFloat16);
  CHECK(dtype_in(folder / "fast", LinearPrecision::fp8) == at::kFloat8_e4m3fn);
  CHECK(dtype_in(folder / "fast", LinearPrecision::both) == at::kBFloat16);
}

TEST_CASE("a conversion refuses converted models and folders that are not its own", "[engine]") {
  const TempDir folder;
  const fs::path fast = folder / "fast", tiny = embedded_model_dir();
  const auto refusal = [&](const fs::path& source, const fs::path& target, Existing existing) {
    return error_of([&] { convert(source, {.folder = target, .existing = existing}); });
  };
  fs::create_directories(fast);  // an empty folder is as good as none
  convert(tiny, {.folder = fast, .existing = Existing::refuse});
  const Error again = refusal(fast, folder / "faster", Existing::refuse);
  CHECK(again.kind() == ErrorKind::model);
  CHECK(test::says(again, "converted already, to bf16 from " + (tiny / "transformer").string()));
  CHECK(test::says(refusal(tiny, fast, Existing::refuse), "already exists"));
  convert(tiny, {.folder = fs::path(fast.string() + "/"), .existing = Existing::replace});

  fs::create_directories(folder / "mine");
  test::write_text(folder / "mine/notes.txt", "mine");
  CHECK(test::says(refusal(tiny, folder / "mine", Existing::replace), "is not a converted model"));
  CHECK(refusal(tiny, folder / "absent/fast", Existing::refuse).kind() == ErrorKind::output);
  CHECK(test::read_text(folder / "mine/notes.txt") == "mine");
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    CHECK((entry.path() == fast || entry.path() == folder / "mine"));  // nothing half-written is left
  }
}

TEST_CASE("a conversion that is stopped leaves nothing behind", "[engine]") {
  const TempDir folder;
  test::StopAfter progress(3);
  const Error error = error_of([&] {
    convert_model(model_at(embedded_model_dir()), {.folder = folder / "fast", .existing = Existing::refuse}, progress);
  });
  CHECK(error.kind() == ErrorKind::interrupted);
  CHECK(fs::is_empty(folder.path()));
}

}  // namespace faststar
