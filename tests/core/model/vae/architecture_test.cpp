#include "core/model/vae/architecture.h"

#include "core/model/vae/golden_vae.h"
#include "support/support.h"

namespace faststar {
namespace {

TEST_CASE("the VAE's sizes are read from its weights", "[vae]") {
  const VaeArchitecture found = detect_vae_architecture(test::golden_vae_weights(at::kCPU));
  CHECK(found.block_out_channels == std::array<int64_t, 5>{8, 16, 16, 16, 16});
  CHECK(found.latent_channels == 16);
  CHECK(found.layers_per_block == 2);
  CHECK(found.feature_channels() == 64);
}

TEST_CASE("four frames a latent, and one for the first", "[vae]") {
  CHECK(frames_of_latents(1) == 1);
  CHECK(frames_of_latents(21) == 81);
  CHECK(frames_of_latents(40) == 157);
  CHECK(latents_of_frames(1) == 1);
  CHECK(latents_of_frames(81) == 21);
}

TEST_CASE("widths that the shortcuts cannot join are a model error", "[vae]") {
  const auto kind_of = [](std::array<int64_t, 5> channels) {
    return test::error_of([&] { check_vae_architecture({.block_out_channels = channels}, "here"); }).kind();
  };
  check_vae_architecture({}, "here");
  CHECK(kind_of({96, 192, 384, 384, 192}) == ErrorKind::model);
  CHECK(kind_of({96, 288, 384, 384, 384}) == ErrorKind::model);
  CHECK(kind_of({0, 0, 0, 0, 0}) == ErrorKind::model);
}

}  // namespace
}  // namespace faststar
