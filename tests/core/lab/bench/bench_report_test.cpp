#include "core/lab/bench/bench_report.h"

#include <ATen/ATen.h>

#include "core/base/version.h"
#include "core/lab/bench/machine.h"
#include "core/lab/bench/op_clock.h"
#include "core/lab/bench/page_cache.h"
#include "core/lab/bench/test_picture.h"
#include "support/support.h"

namespace faststar {
namespace {

TEST_CASE("a sample's middle and spread", "[bench]") {
  CHECK(Samples{{3, 1, 2}}.median() == 2);
  CHECK(Samples{{4, 1, 2, 3}}.median() == 2.5);
  CHECK(Samples{{9, 10, 11}}.spread() == Approx(0.1));
  CHECK(Samples{{7}}.spread() == 0);
  CHECK(Samples{}.median() == 0);
}

TEST_CASE("the line of the machine names version and commit", "[bench]") {
  const Machine machine = describe_machine(at::kCPU, GpuMonitor(at::kCPU));
  CHECK(machine_line(machine) == "machine: " + hardware_text(machine) + "; " + software_text(machine));
  CHECK(software_text(machine).starts_with("faststar " + program_version() + ", LibTorch 2."));
  CHECK(hardware_text(machine).ends_with(" GB"));
}

TEST_CASE("a table aligns its columns and leaves out what a row lacks", "[bench]") {
  const BenchTable table{.title = "Times",
                         .columns = {{"what", "what"}, {"watts", "watts"}, {"ms", "time/median", kInMilliseconds, 1}},
                         .rows = {{{"what", "decode"}, {"time", {{"median", 0.0125}}}}, {{"what", "±"}}},
                         .footnotes = {"Medians."}};
  CHECK(table_text(table) ==
        "Times\n\n"
        "| what   |   ms |\n"
        "|--------|-----:|\n"
        "| decode | 12.5 |\n"
        "| ±      |      |\n"
        "\nMedians.\n");
}

TEST_CASE("a report as JSON has a list of rows for each table with a key", "[bench]") {
  const BenchReport report{.facts = {{"machine", "m"}},
                           .tables = {{.key = "start", .rows = {{{"part", "vae"}}}}, {.title = "for people"}},
                           .warnings = {"busy"}};
  const auto json = nlohmann::json::parse(report_json(report));
  CHECK(json == nlohmann::json{{"machine", "m"}, {"start", {{{"part", "vae"}}}}, {"warnings", {"busy"}}});
  CHECK_THAT(report_text(report), ContainsSubstring("note: busy"));
}

TEST_CASE("an operation is called at least three times after a warm-up", "[bench]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const OpClock clock(device);
  const Tensor x = at::ones({1000}, at::TensorOptions(device));
  size_t calls = 0;
  const Samples samples = clock.time([&] {
    ++calls;
    at::add(x, x);
  });
  CHECK(samples.values.size() >= 3);
  CHECK(calls == samples.values.size() + 1);
  CHECK(samples.min() > 0);
}

TEST_CASE("the test picture moves, is always the same, and is smooth", "[bench]") {
  const TestPicture size{.frames = 5, .height = 48, .width = 80};
  const Tensor frames = moving_test_picture(size, at::kCPU);
  CHECK(frames.sizes() == at::IntArrayRef{5, 48, 80, 3});
  CHECK(frames.scalar_type() == at::kByte);
  CHECK(test::same(frames, moving_test_picture(size, at::kCPU)));
  CHECK_FALSE(test::same(frames[0], frames[1]));
  const auto roughness = [](const Tensor& video) {
    const Tensor wide = video.to(at::kFloat);
    return (wide.narrow(2, 1, 79) - wide.narrow(2, 0, 79)).abs().mean().item<double>() / wide.std().item<double>();
  };
  CHECK(roughness(frames) < 0.5 * roughness(noise_frames(size, at::kCPU)));
}

TEST_CASE("the files of a model are found in its folders", "[bench]") {
  const test::TempDir folder;
  std::filesystem::create_directories(folder / "transformer/shards");
  test::write_text(folder.path() / "transformer" / "shards" / "a.safetensors", "aaaa");
  test::write_text(folder / "vae.pth", "bb");
  CHECK(files_of({folder / "transformer", folder / "vae.pth", folder / "absent"}).size() == 2);
  drop_from_page_cache(files_of({folder.path()}));
  const double share = cached_share(files_of({folder.path()}));
  CHECK((share >= 0 && share <= 1));
}

}  // namespace
}  // namespace faststar
