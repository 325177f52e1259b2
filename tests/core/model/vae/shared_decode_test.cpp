#include <ATen/ATen.h>

#include "core/model/vae/golden_vae.h"
#include "core/model/vae/video_vae.h"
#include "support/group.h"
#include "support/support.h"

namespace faststar {

TEST_CASE("processes that decode some rows each make the frames of one", "[vae][group]") {
  const auto [processes, height] = GENERATE(std::pair(2, 3), std::pair(3, 2), std::pair(3, 1));
  CAPTURE(processes, height);
  const c10::InferenceMode inference;
  const VideoVae vae = test::golden_vae(at::kCPU);
  const Tensor features = test::seeded_randn({1, 64, 4, height, 3}, 3);  // two latent rows each
  const auto decode = [&](ProcessGroup* group) {
    std::vector<Tensor> slices;
    vae.decode(
        features, [&](const Tensor& frames) { slices.push_back(frames); }, {}, group);
    return slices;
  };
  const std::vector<Tensor> alone = decode(nullptr);
  const auto shared = test::in_group(processes, [&](ProcessGroup& group) { return decode(&group); });
  REQUIRE(shared[0].size() == alone.size());
  for (size_t slice = 0; slice < alone.size(); ++slice) {
    CHECK(test::relative_error(shared[0][slice], alone[slice]) < 1e-5);
    const Tensor levels = to_frames(shared[0][slice]).to(at::kInt) - to_frames(alone[slice]).to(at::kInt);
    CHECK(levels.abs().max().item<int>() <= 1);
    for (int other = 1; other < processes; ++other) CHECK_FALSE(shared[static_cast<size_t>(other)][slice].defined());
  }
}

}  // namespace faststar
