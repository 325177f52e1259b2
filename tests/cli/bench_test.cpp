// faststar bench from outside.
#include <nlohmann/json.hpp>

#include "support/program.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::run;
using test::TempDir;

constexpr const char* kQuick = " --device cpu --random-weights --duration 1 --json -q";

nlohmann::json bench(const TempDir& folder, const std::string& arguments) {
  const auto outcome = run(folder, "bench " + arguments + kQuick, "TMPDIR=" + folder.path().string());
  INFO(outcome.error);
  REQUIRE(outcome.exit_code == 0);
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    CHECK(entry.path().filename().string().size() == 3);  // out and err: no file is left behind
  }
  return nlohmann::json::parse(outcome.out);
}

TEST_CASE("bench refuses what it cannot measure", "[cli]") {
  const TempDir folder;
  const auto refused = [&](const std::string& options, const std::string& message) {
    const auto outcome = run(folder, "bench " + options);
    CHECK(outcome.exit_code == 2);
    CHECK_THAT(outcome.error, ContainsSubstring(message));
  };
  refused("--runs 0", "--runs 0: expected 1 to 1000");
  refused("--warmup 2000", "--warmup 2000: expected 0 to 1000");
  refused("--device cpu --against absent", "--against absent: ");
  refused("--device cpu --against faststar-720p", "networks of other sizes");
  refused("ops --against 480p", "--against: unknown option");
  refused("everything", "unknown");
}

TEST_CASE("bench measures configurations side by side and leaves no files", "[cli][slow]") {
  const TempDir folder, configs;
  test::write_text(configs / "reduced.yaml", "reduction: { method: faststar }\n");
  const auto json = bench(folder, "--runs 1 --warmup 0 --against " + (configs / "reduced.yaml").string());
  CHECK(json["machine"]["device"] == "cpu");
  CHECK(json["ceilings"]["product_flops"].get<double>() > 0);
  REQUIRE(json["variants"].size() == 2);
  CHECK(json["variants"][1]["variant"] == "reduced");
  CHECK(json["variants"][1]["speed_up"].get<double>() > 0);
  CHECK(json["variants"][0]["runs"][0]["seconds"]["total"].get<double>() > 0);
}

TEST_CASE("bench compares several devices with one", "[cli][group][slow]") {
  const TempDir folder, cache;
  const auto outcome =
      run(folder, "bench --devices cpu,cpu --runs 1 --warmup 0 --random-weights --duration 1 --json -q",
          fmt::format("TMPDIR={} XDG_CACHE_HOME={}", folder.path().string(), cache.path().string()));
  CAPTURE(outcome.error);
  REQUIRE(outcome.exit_code == 0);
  const auto json = nlohmann::json::parse(outcome.out);
  REQUIRE(json["variants"].size() == 2);
  CHECK(json["variants"][0]["variant"] == "faststar tiny, 1 device");
  CHECK(json["variants"][1]["variant"] == "faststar tiny, 2 devices");
  CHECK_FALSE(json["variants"][0]["parts"]["seconds"].contains("exchange"));
  CHECK(json["variants"][1]["parts"]["seconds"]["exchange"].get<double>() > 0);
  REQUIRE(json["sharing"].size() == json["variants"][0]["stages"].size());
  for (const auto& stage : json["sharing"]) CHECK(stage["one"].get<double>() >= 0);
  CHECK(json["sharing"].back()["efficiency"].get<double>() > 0);
}

TEST_CASE("a run's time is a guess until bench has measured it", "[cli][slow]") {
  const TempDir folder, cache;
  const std::string environment = "XDG_CACHE_HOME=" + cache.path().string();
  const auto dry_run = [&] {
    const auto plan = run(folder, "t2v -p 'a red ball' --duration 1 --dry-run --json --device cpu", environment);
    REQUIRE(plan.exit_code == 0);
    return std::pair(nlohmann::json::parse(plan.out), plan.error);
  };
  const auto [guess, guess_line] = dry_run();
  CHECK(guess["estimate_source"] == "guess");
  CHECK(guess["seconds_estimate"].get<double>() > 0);
  CHECK_THAT(guess_line, ContainsSubstring("(a guess; `faststar bench` measures it)"));
  const auto measured = run(folder, "bench --runs 1 --duration 1 --device cpu --json -q", environment);
  INFO(measured.error);
  REQUIRE(measured.exit_code == 0);
  CHECK(std::filesystem::exists(cache / "faststar/rates.json"));
  const auto [known, line] = dry_run();
  CHECK(known["estimate_source"] == "measured");
  CHECK_THAT(line, ContainsSubstring("(measured on this machine)"));
}

TEST_CASE("bench ops measures every operation of a run", "[cli][slow]") {
  const TempDir folder;
  const auto json = bench(folder, "ops");
  std::set<std::string> ops;
  for (const auto& row : json["kernels"]) {
    ops.insert(row["op"].get<std::string>());
    CHECK(row["seconds"]["reference"].get<double>() > 0);
    CHECK_FALSE(row["seconds"].contains("kernel"));  // on the CPU
  }
  CHECK(ops == std::set<std::string>{"add_rms_norm", "split_qkv", "swiglu", "quantize_rows", "add_rms_norm_fp8",
                                     "swiglu_fp8", "quantize_heads", "philox_uniform", "similarity_score", "select_top",
                                     "area_mean", "partial_update", "norm_silu_of_sum", "depth_to_space", "rgb_conv",
                                     "yuv420"});
  for (const auto& row : json["linears"]) CHECK(row["gate_up"]["flops"].get<double>() > 0);
  for (const auto& row : json["attention"]) {
    CHECK(row["auto"]["flops"].get<double>() > 0);
    CHECK(row["aten"]["flops"].get<double>() > 0);
    CHECK_FALSE(row.contains("cudnn"));
  }
}

TEST_CASE("bench start writes a model of random weights and loads it", "[cli][slow]") {
  const TempDir folder;
  const auto made = run(folder, std::string("bench start --runs 1 --write model") + kQuick);
  INFO(made.error);
  REQUIRE(made.exit_code == 0);
  const auto json = nlohmann::json::parse(made.out);
  REQUIRE(json["start"].size() == 10);
  CHECK(json["start"][2]["cache"] == "cold");
  CHECK(json["start"][7]["part"] == "transformer");
  CHECK(json["start"][7]["read_seconds"].get<double>() > 0);
  CHECK(json["load_rates"][0]["what"] == "read, cold");
  CHECK(json["load_rates"][0]["bytes_per_second"].get<double>() > 0);
  CHECK(run(folder, "info model").exit_code == 0);
  CHECK(run(folder, "convert model -o fast -q").exit_code == 0);
  CHECK(run(folder, std::string("bench start --random-weights --write model")).exit_code == 6);
  CHECK(run(folder, "bench start --write other --model model").exit_code == 2);
}

TEST_CASE("bench start and bench media name what they measured", "[cli][slow]") {
  const TempDir folder;
  const auto start = bench(folder, "start --runs 1");
  std::vector<std::string> parts;
  for (const auto& row : start["start"]) parts.push_back(row["part"]);
  CHECK(parts == std::vector<std::string>{"open", "text encoder", "transformer", "vae", "process start to ready"});
  CHECK(start["first_use"].size() == 3);
  CHECK_FALSE(start.contains("load_rates"));  // random weights: nothing was read
  const auto media = bench(folder, "media --runs 1 --warmup 0");
  std::map<std::string, nlohmann::json> rows;
  for (const auto& row : media["media"]) rows[row["what"]] = row;
  REQUIRE(rows.contains("encode and write, natural"));
  CHECK(rows["encode and write, natural"]["bytes"].get<double>() <
        0.5 * rows["encode and write, noise"]["bytes"].get<double>());
  CHECK(rows["decode with file, natural"]["bytes"] == rows["encode and write, natural"]["bytes"]);
  CHECK(rows["encode a source"]["relative_error"] == 0);
}

}  // namespace
}  // namespace faststar
