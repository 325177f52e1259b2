#include "core/pipeline/warm_up.h"

#include "core/pipeline/small_request.h"

namespace faststar {
namespace {

WarmUpWork small_work(at::Device device) {
  const test::TempDir folder;
  const Request request = test::small_request(folder, device);
  const ModelSizes& sizes = *request.setup.model.preset.architecture;
  return {.star = sizes.transformer,
          .vae = sizes.vae,
          .device = device,
          .dtype = dtype_of(request.setup.precision),
          .schedule = request.schedule,
          .settings = request.generation};
}

TEST_CASE("warming up leaves no trace, and what fails in it is not told", "[engine]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  WarmUpWork work = small_work(device);
  CHECK_NOTHROW(warm_up(work));
  work.star.linears = LinearPrecision::both;
  CHECK_NOTHROW(warm_up(work));
  work.star.hidden_size = int64_t{1} << 40;  // more than any memory
  CHECK_NOTHROW(warm_up(work));
}

TEST_CASE("a video is the same whether libraries were warmed up beside its model's loading", "[engine]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const test::TempDir folder;
  // The embedded model: random weights do not load.
  const ResolvedSettings resolved = resolve_settings({.flags = {{"device", device.str()}}});
  const Request request = test::small_request(folder, device);
  const auto codes = [&](bool warmed) {
    Model model(model_setup(resolved));
    if (warmed) model.warm_up_ahead(request.schedule, request.generation);
    const Pipeline pipeline(model);
    const std::vector<Scale>& scales = request.schedule.scales();
    const Schedule image({scales.begin(), scales.begin() + request.schedule.scales_per_clip()});
    return pipeline.generate(image, request.generation, {.text = pipeline.encode_text("a red ball", 64)});
  };
  CHECK(test::same(codes(true), codes(false)));
}

}  // namespace
}  // namespace faststar
