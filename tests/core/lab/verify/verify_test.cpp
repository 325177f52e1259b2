#include "core/lab/verify/verify.h"

#include <ATen/ATen.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/weights/safetensors.h"
#include "support/support.h"

namespace faststar {
namespace {
namespace fs = std::filesystem;

Verdict verdict_of(const VerifyReport& report, const std::string& name) {
  for (const ComponentResult& component : report.components) {
    if (component.name == name) return component.verdict;
  }
  FAIL("no component " << name);
  return Verdict::absent;
}

/// A set that links to some of the golden files, so that one can be replaced.
void link_golden(const fs::path& folder, const std::vector<std::string>& names) {
  for (const auto& name : names) fs::create_symlink(test::golden_dir() / name, folder / name);
}

std::map<std::string, Tensor> read_all(const fs::path& path) {
  const auto source = open_safetensors(path);
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, info] : source->tensors()) tensors[name] = source->read(name, info, at::kCPU).clone();
  return tensors;
}

TEST_CASE("every component equals the official implementation in float32", "[verify][slow]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const VerifyReport report = verify_fixture_set(test::golden_dir(), {.device = device});
  for (const ComponentResult& component : report.components) {
    INFO(component.name << ": " << component.reason);
    CHECK(component.verdict == Verdict::pass);
  }
  CHECK(report.passed);
  CHECK(report.components.size() == 14);
}

TEST_CASE("bfloat16 stays within its bounds on a GPU", "[verify][slow]") {
  for (const auto device : test::test_devices()) {
    if (device.is_cpu()) continue;
    const VerifyReport report = verify_fixture_set(test::golden_dir(), {.device = device, .dtype = at::kBFloat16});
    for (const ComponentResult& component : report.components) {
      INFO(component.name << ": " << component.reason);
      CHECK(component.verdict == Verdict::pass);
    }
  }
}

TEST_CASE("8-bit linear layers stay within their bounds", "[verify][slow]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const VerifyReport report = verify_fixture_set(
      test::golden_dir(),
      {.device = device, .dtype = device.is_cuda() ? at::kBFloat16 : at::kFloat, .linears = LinearPrecision::fp8});
  for (const ComponentResult& component : report.components) {
    INFO(component.name << ": " << component.reason);
    CHECK(component.verdict == Verdict::pass);
  }
}

TEST_CASE("the embedded model's weights say what another implementation makes of them", "[verify][slow]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const VerifyReport report = verify_fixture_set(test::golden_dir() / "tiny", {.device = device});
  CHECK(report.passed);
  for (const char* component : {"t5", "tokenizer", "star_greedy"}) {
    CAPTURE(component);
    CHECK(verdict_of(report, component) == Verdict::pass);
  }
}

TEST_CASE("one damaged value of a fixture fails its component alone", "[verify]") {
  const test::TempDir dir;
  link_golden(dir.path(), {"guidance.safetensors", "schedules.json"});
  fs::remove(dir / "guidance.safetensors");
  auto tensors = read_all(test::golden_dir() / "guidance.safetensors");
  tensors["apg"].view(-1)[100] += 0.1;
  write_safetensors(dir / "guidance.safetensors", tensors, {}, Existing::refuse);
  const VerifyReport report = verify_fixture_set(dir.path(), {});
  CHECK_FALSE(report.passed);
  CHECK(verdict_of(report, "guidance") == Verdict::fail);
  CHECK(verdict_of(report, "schedules") == Verdict::pass);
  CHECK(verdict_of(report, "t5") == Verdict::absent);
}

TEST_CASE("one damaged weight fails what it feeds", "[verify]") {
  const test::TempDir dir;
  fs::create_directory(dir / "t5");
  for (const char* name : {"config.json", "io.safetensors"})
    fs::create_symlink(test::golden_dir() / "t5" / name, dir / "t5" / name);
  auto tensors = read_all(test::golden_dir() / "t5" / "model.safetensors");
  tensors.at("encoder.block.1.layer.1.DenseReluDense.wo.weight").mul_(1.05);
  write_safetensors(dir / "t5" / "model.safetensors", tensors, {}, Existing::refuse);
  CHECK(verdict_of(verify_fixture_set(dir.path(), {}), "t5") == Verdict::fail);
}

TEST_CASE("a set that cannot be read is an input error, weights that do not load a model error", "[verify]") {
  const test::TempDir dir;
  CHECK(test::error_of([&] { verify_fixture_set(dir / "absent", {}); }).kind() == ErrorKind::input);
  CHECK(test::error_of([&] { verify_fixture_set(dir.path(), {}); }).kind() == ErrorKind::input);

  const std::string whole = test::read_text(test::golden_dir() / "guidance.safetensors");
  test::write_text(dir / "guidance.safetensors", whole.substr(0, whole.size() / 2));
  CHECK(test::error_of([&] { verify_fixture_set(dir.path(), {}); }).kind() == ErrorKind::input);
  fs::remove(dir / "guidance.safetensors");

  fs::create_directory(dir / "t5");
  fs::create_symlink(test::golden_dir() / "t5" / "io.safetensors", dir / "t5" / "io.safetensors");
  const std::string weights = test::read_text(test::golden_dir() / "t5" / "model.safetensors");
  test::write_text(dir / "t5" / "model.safetensors", weights.substr(0, weights.size() - 7));
  CHECK(test::error_of([&] { verify_fixture_set(dir.path(), {}); }).kind() == ErrorKind::model);
}

TEST_CASE("the JSON report has the contract's keys", "[verify]") {
  const test::TempDir dir;
  link_golden(dir.path(), {"guidance.safetensors"});
  const auto json = nlohmann::json::parse(to_json(verify_fixture_set(dir.path(), {})));
  CHECK(json.at("passed") == true);
  const auto& guidance = json.at("components").at(3);
  CHECK(guidance.at("name") == "guidance");
  CHECK(guidance.at("verdict") == "pass");
  for (const char* key : {"elements", "max_abs", "max_rel", "bits_differing", "tolerance"})
    CHECK(guidance.contains(key));
  CHECK(json.at("components").at(0).at("verdict") == "absent");
}

}  // namespace
}  // namespace faststar
