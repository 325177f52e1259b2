#include "core/pipeline/pipeline.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>

#include "core/base/device.h"
#include "core/pipeline/small_request.h"

namespace faststar {
namespace {

/// Calls a function after every step, and notes which kernels are on then.
class KernelWatch final : public GenerationObserver {
 public:
  explicit KernelWatch(std::function<void()> on_step = {}) : on_step_(std::move(on_step)) {}
  void on_step(const Step&, const std::vector<Tensor>&) override {
    if (on_step_) std::exchange(on_step_, {})();
    seen.insert(current_kernels());
    exact &= !at::globalContext().allowTF32CuBLAS();
  }
  std::set<Kernels> seen;
  bool exact = true;  ///< no TF32

 private:
  std::function<void()> on_step_;
};

}  // namespace

TEST_CASE("two pipelines of different kernels in one process both keep their own", "[engine]") {
  const test::TempDir folder;
  Request request = test::small_request(folder, at::kCPU, {{"kernels", "reference"}});
  Model plain_model(request.setup);
  request.setup.kernels = Kernels::automatic;
  Model fast_model(request.setup);
  const Pipeline plain(plain_model);
  const Pipeline fast(fast_model);
  const TextFeatures text = plain.encode_text("a red ball", 16);
  const auto generate = [&](const Pipeline& pipeline, KernelWatch& watch) {
    pipeline.generate(request.schedule, request.generation, {.text = text}, &watch);
  };
  at::globalContext().setAllowTF32CuBLAS(true);
  KernelWatch inner;
  KernelWatch outer([&] { generate(fast, inner); });
  generate(plain, outer);
  KernelWatch after;
  generate(fast, after);
  CHECK((outer.seen == std::set{Kernels::reference}));
  CHECK((inner.seen == std::set{Kernels::automatic}));
  CHECK((after.seen == std::set{Kernels::automatic}));
  CHECK((outer.exact && inner.exact && after.exact));
  CHECK((current_kernels() == Kernels::automatic));
  CHECK(at::globalContext().allowTF32CuBLAS());  // as it was before the runs
  at::globalContext().setAllowTF32CuBLAS(false);
}

TEST_CASE("networks that exist already make the same as a model that loads them", "[engine]") {
  const test::TempDir folder;
  const Request request = test::small_request(folder, at::kCPU);
  Model loaded(request.setup);
  const Pipeline pipeline(loaded);
  Model borrowed(Networks{.transformer = &loaded.transformer(), .vae = &loaded.vae(VaeParts::encoder_and_decoder)});
  const Pipeline again(borrowed);
  const TextFeatures text = pipeline.encode_text("a red ball", 16);
  const Tensor codes = pipeline.generate(request.schedule, request.generation, {.text = text});
  CHECK(test::same(again.generate(request.schedule, request.generation, {.text = text}), codes));
  const Tensor frames = pipeline.decode(codes);
  CHECK(frames.sizes() == at::IntArrayRef{3, 17, 192, 336});
  CHECK(test::same(again.decode(codes), frames));
}

}  // namespace faststar
