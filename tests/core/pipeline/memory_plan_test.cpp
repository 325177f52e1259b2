#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/pipeline/time_estimate.h"
#include "support/support.h"

namespace faststar {
namespace {
namespace fs = std::filesystem;

/// InfinityStar 8B at 720p, 5 s, 128 text tokens.
Workload full_size() {
  return {
      .star = {.hidden_size = 4096,
               .heads = 32,
               .kv_heads = 8,
               .head_dim = 128,
               .ffn_width = 16384,
               .layers = 36,
               .chunks = 6,
               .text_width = 2048,
               .max_text_length = 512},
      .t5 = {.hidden_size = 2048, .heads = 32, .head_dim = 64, .ffn_width = 5120, .layers = 24, .vocabulary = 32128},
      .vae = {},
      .schedule = make_schedule(0.562, "0.90M", 21, 20),
      .repetitions = {std::vector<int>(15, 3), {3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 1, 1}},
      .text_tokens = 128,
      .decoded_latents = 21,
      .dtype = at::kBFloat16};
}

void set_size(Workload& work, const std::string& pn, int latent_frames) {
  work.schedule = make_schedule(0.562, pn, latent_frames, 20);
  work.decoded_latents = latent_frames;
}

double step_flops(const Workload& work, const Step& step) {
  return linear_flops(work, step) + attention_flops(work, step);
}

TEST_CASE("a 720p video costs what the model's arithmetic says", "[plan]") {
  const Workload work = full_size();
  double flops = 0;
  for (const Step& step : work.schedule.steps(work.repetitions)) flops += step_flops(work, step);
  CHECK(flops == Approx(18.5e15).epsilon(0.01));
  CHECK(decode_flops(work.vae, shape_of(work, frames_of_latents(21))) == Approx(335e12).epsilon(0.02));
}

TEST_CASE("the checkpoint's parameters are counted exactly", "[plan]") {
  CHECK(parameter_count(full_size().star) == 8'768'382'112 - 4096);  // all but sos_token, which is not loaded
}

TEST_CASE("8-bit linear layers halve the transformer's weights", "[plan]") {
  Workload work = full_size();
  const int64_t wide = plan_memory(work, {}).weights;
  work.star.linears = LinearPrecision::fp8;
  // Embeddings, heads and norms, about 10 MB, stay as they are.
  CHECK(static_cast<double>(wide - plan_memory(work, {}).weights) == Approx(8.75e9).epsilon(0.01));
}

TEST_CASE("the transformer loads while text is encoded where there is room for both", "[plan]") {
  const auto loads_ahead = [](const Workload& work, Residency residency) {
    return plan_memory(work, {.residency = residency}).loads_ahead;
  };
  CHECK(loads_ahead(full_size(), Residency::everything));
  CHECK(loads_ahead(full_size(), Residency::generators));
  CHECK_FALSE(loads_ahead(full_size(), Residency::one_part));
  Workload large = full_size();
  large.t5.vocabulary = 4'000'000;  // a text encoder of 18 GB
  CHECK_FALSE(loads_ahead(large, Residency::generators));
}

TEST_CASE("libraries warm up where there is room beside what loads", "[plan]") {
  CHECK(plan_memory(full_size(), {}).warms_up);
  Workload large = full_size();
  large.t5.vocabulary = 4'000'000;
  CHECK_FALSE(plan_memory(large, {}).warms_up);
}

TEST_CASE("several GPUs share the activations, and each has the weights and the cache", "[plan][group]") {
  const auto plan = [](int processes) {
    Workload work = full_size();
    work.device = at::Device(at::kCUDA, 0);
    work.processes = processes;
    return plan_memory(work, {.residency = Residency::one_part});
  };
  const MemoryPlan one = plan(1), two = plan(2), eight = plan(8);
  CHECK(two.weights == one.weights);
  CHECK(two.text == one.text);
  CHECK(two.tokens < one.tokens);
  CHECK(eight.tokens < two.tokens);
  CHECK(eight.tokens > 17'500'000'000);  // the transformer
  CHECK(two.decode < one.decode * 3 / 4);
  CHECK(two.peak() < one.peak() - 2'000'000'000);
}

TEST_CASE("several GPUs take less time, and nobody has measured how much", "[plan][group]") {
  Workload work = full_size();
  work.device = at::Device(at::kCUDA, 0);
  const std::vector<Step> steps = steps_to_run(work);
  const double last = step_seconds(work, steps.back()), first = step_seconds(work, steps.front());
  const double decode = decode_seconds(work, 21);
  work.processes = 2;
  CHECK(step_seconds(work, steps.back()) == Approx(last / 2));
  CHECK(step_seconds(work, steps.front()) == first);  // too short to share
  CHECK(decode_seconds(work, 21) == Approx(decode / 2));
  CHECK_FALSE(is_measured(work, {}));
  CHECK(time_text(TimeEstimate{.seconds = 14.2, .processes = 2}) ==
        "about 14 s (a guess: several devices were not measured)");
}

TEST_CASE("guidance, length and size need more memory, bfloat16 less", "[plan]") {
  const int64_t whole = plan_memory(full_size(), {}).peak();
  Workload work = full_size();
  work.guidance_rows = GuidanceRows(1);
  CHECK(plan_memory(work, {}).peak() < whole);
  work = full_size();
  set_size(work, "0.90M", 1);
  CHECK(plan_memory(work, {}).peak() < whole);
  work = full_size();
  work.dtype = at::kFloat;
  CHECK(plan_memory(work, {}).peak() > 3 * whole / 2);
}

/// Peaks measured on an H200 with these workloads; tests/bench/NOTES.md has the runs.
TEST_CASE("the plan is within 10 % of the measured peaks", "[plan]") {
  Workload work = full_size();
  work.text_tokens = 66;
  CHECK(static_cast<double>(plan_memory(work, {}).peak()) == Approx(25.5e9).epsilon(0.1));
  set_size(work, "0.90M", 1);
  CHECK(static_cast<double>(plan_memory(work, {}).peak()) == Approx(18.8e9).epsilon(0.1));
  work.repetitions = {std::vector<int>(14, 3), {3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 1}};
  set_size(work, "0.40M", 21);
  CHECK(static_cast<double>(plan_memory(work, {}).peak()) == Approx(21.9e9).epsilon(0.1));
  set_size(work, "0.40M", 41);
  CHECK(static_cast<double>(plan_memory(work, {}).peak()) == Approx(31.3e9).epsilon(0.1));
}

TEST_CASE("reduction makes the passes cheaper and the next clip's context shorter", "[plan]") {
  Workload work = full_size();
  const auto backbone = [](const Workload& of) {
    double flops = 0;
    for (const Step& step : of.schedule.steps(of.repetitions)) flops += step_flops(of, step);
    return flops;
  };
  const double dense = backbone(work);
  work.gate.emplace(ReductionSettings{.method = ReductionMethod::faststar}, work.schedule, work.repetitions);
  CHECK(dense / backbone(work) == Approx(2.08).epsilon(0.01));  // token-reduction note, 3.5
  CHECK(plan_memory(work, {}).peak() < plan_memory(full_size(), {}).peak());

  work = full_size();
  work.schedule = make_schedule(0.562, "0.90M", 41, 20);
  work.gate.emplace(ReductionSettings{.method = ReductionMethod::faststar}, work.schedule, work.repetitions);
  CHECK(context_tokens(work, {.clip = 2, .scale = 31}) == 128 + 21600);
  work.given_clips = 2;
  CHECK(context_tokens(work, {.clip = 2, .scale = 31}) == 128 + 72000);  // a video that is continued
  work.given_clips = 0;
  const ReductionSettings layers{.method = ReductionMethod::fastvar};
  const int64_t pruned_stream = plan_memory(work, {}).peak();
  work.gate.emplace(layers, work.schedule, work.repetitions);
  CHECK(plan_memory(work, {}).peak() > pruned_stream);  // the residual stream keeps every token
}

TEST_CASE("what cannot fit is a device error that names both numbers", "[plan]") {
  Workload work = full_size();
  work.star.layers *= 1000;
  const Error error = test::error_of([&] { choose_memory_plan(work, {.vram = 20}); });
  CHECK(error.kind() == ErrorKind::device);
  CHECK(std::string(error.what()).find("needs at least") != std::string::npos);
  CHECK(std::string(error.what()).find("free") != std::string::npos);
}

TEST_CASE("a plan that fits with weights in 8 bits names the flag", "[plan]") {
  Workload work = full_size();
  work.device = at::Device(at::kCUDA, 0);
  const auto hint = [&](double vram) {
    return test::error_of([&] { choose_memory_plan(work, {.vram = vram, .absent_gpu = true}); }).hint();
  };
  const std::string others = "a smaller --resolution or --duration, or another --device";
  CHECK(hint(20) == "--precision fp8, " + others);
  CHECK(hint(4) == others);
  work.star.linears = LinearPrecision::both;
  CHECK(hint(24) == "--fp8-scales all, " + others);
  work.star.linears = LinearPrecision::fp8;
  CHECK(hint(4) == others);
}

TEST_CASE("a 720p video fits the cards that README names, which need not be here", "[plan]") {
  const auto fits = [](bool fp8, bool reduced, double vram) {
    Workload work = full_size();
    work.device = at::Device(at::kCUDA, 0);
    if (fp8) work.star.linears = LinearPrecision::fp8;
    work.fp8 = Fp8Passes(work.star.linears, std::nullopt, work.schedule);
    if (reduced) {
      work.gate.emplace(ReductionSettings{.method = ReductionMethod::faststar}, work.schedule, work.repetitions);
    }
    try {
      choose_memory_plan(work, {.vram = vram, .absent_gpu = true});
      return true;
    } catch (const Error& error) {
      CHECK_THAT(error.what(), !ContainsSubstring("free"));
      return false;
    }
  };
  CHECK_FALSE(fits(false, false, 24));
  CHECK(fits(false, true, 24));
  CHECK_FALSE(fits(true, false, 16));
  CHECK(fits(true, true, 16));
  CHECK(fits(true, false, 24));
  CHECK(fits(false, false, 48));
}

TEST_CASE("a GPU's first passes take longer than the same ones later", "[plan]") {
  Workload work = full_size();
  const auto seconds = [&] {
    double sum = 0;
    for (const Step& step : steps_to_run(work)) sum += step_seconds(work, step);
    return sum;
  };
  work.device = at::Device(at::kCUDA, 0);
  work.dtype = at::kBFloat16;
  const double cold = seconds();
  work.warm = true;
  CHECK(seconds() < cold);
  CHECK(seconds() == Approx(31.2).epsilon(0.05));  // H200, tests/bench/NOTES.md
  work.attention = AttentionBackend::fa3;
  CHECK(seconds() == Approx(28.3).epsilon(0.05));
  work.device = at::kCPU;
  const double on_cpu = seconds();
  work.warm = false;
  CHECK(seconds() == on_cpu);
}

TEST_CASE("fewer weights at a time and shorter slices need less memory", "[plan]") {
  const Workload work = full_size();
  const auto peak = [&](Residency residency, int64_t slice) {
    return plan_memory(work, {residency, {.slice_latents = slice}}).peak();
  };
  CHECK(peak(Residency::everything, 2) > peak(Residency::generators, 2));
  CHECK(peak(Residency::generators, 2) > peak(Residency::one_part, 2));
  CHECK(plan_memory(work, {Residency::one_part, {.slice_latents = 2}}).decode >
        plan_memory(work, {Residency::one_part, {.slice_latents = 1}}).decode);
}

TEST_CASE("a picture to start from saves the passes that nobody reads, and costs its encode", "[plan]") {
  Workload work = full_size();
  const size_t all = steps_to_run(work).size();
  work.given_clips = 1;
  work.source_frames = 1;
  CHECK(steps_to_run(work).size() == all - 44);  // token-reduction.md, fact 8
  CHECK(encode_seconds(work) > 0);
  CHECK(plan_memory(work, {}).source > 0);
}

/// A machine with 8 GiB free whose process holds 1 GiB, 2 GiB of files mapped beside.
void write_machine(const fs::path& root) {
  fs::create_directories(root / "proc/self");
  fs::create_directories(root / "sys/fs/cgroup");
  test::write_text(root / "proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n");
  test::write_text(root / "proc/self/status", "VmRSS:\t3145728 kB\nRssAnon:\t1048576 kB\nRssFile:\t2097152 kB\n");
}

constexpr int64_t kGibibyte = int64_t{1} << 30;

TEST_CASE("host memory is what the machine has free and what this process holds", "[plan]") {
  const test::TempDir root;
  write_machine(root.path());
  CHECK(usable_host_bytes(root.path()) == 9 * kGibibyte);
  test::write_text(root / "sys/fs/cgroup/memory.max", "max\n");
  CHECK(usable_host_bytes(root.path()) == 9 * kGibibyte);
}

TEST_CASE("in a control group page cache is no memory in use", "[plan]") {
  const test::TempDir root;
  write_machine(root.path());
  test::write_text(root / "sys/fs/cgroup/memory.max", std::to_string(6 * kGibibyte));
  test::write_text(root / "sys/fs/cgroup/memory.current", std::to_string(6 * kGibibyte));
  test::write_text(root / "sys/fs/cgroup/memory.stat",
                   fmt::format("anon {}\ninactive_file {}\nactive_file {}\n", 2 * kGibibyte, 3 * kGibibyte, kGibibyte));
  CHECK(usable_host_bytes(root.path()) == 5 * kGibibyte);
  fs::remove(root / "sys/fs/cgroup/memory.stat");
  CHECK(usable_host_bytes(root.path()) == kGibibyte);
}

TEST_CASE("this machine has host memory", "[plan]") { CHECK(usable_host_bytes() > 0); }

}  // namespace
}  // namespace faststar
