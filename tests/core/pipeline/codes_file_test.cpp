#include "core/pipeline/codes_file.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "core/base/weights/safetensors.h"
#include "core/media/metadata.h"
#include "core/media/sample_media.h"
#include "core/pipeline/small_request.h"

namespace faststar {
namespace {
using test::error_of;

const std::map<std::string, std::string> kCodesMetadata = {{"faststar", R"({"command": "t2v"})"}};

void write_tensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors,
                   const std::map<std::string, std::string>& metadata = kCodesMetadata) {
  write_safetensors(path, tensors, metadata, Existing::replace);
}

/// A request of decode, with the model of `made_by`.
Request decode_request(const std::filesystem::path& codes, FieldTexts flags, const Request& made_by) {
  flags.try_emplace("random_weights", "true");
  flags.try_emplace("device", made_by.setup.device);
  const ResolvedSettings resolved = resolve_settings({.flags = std::move(flags), .config = "tiny"});
  Request request = make_decode_request(read_codes(codes), codes.string(), resolved);
  request.setup = made_by.setup;
  return request;
}

}  // namespace

TEST_CASE("saved codes decode to the same frames, with the command and settings that made them", "[engine]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const test::TempDir folder;
  const Request job = test::small_request(
      folder, device,
      {{"save_codes", (folder / "c.safetensors").string()}, {"frames_dir", (folder / "frames").string()}});
  test::make(job);
  test::make(decode_request(folder / "c.safetensors",
                            {{"output", (folder / "again.mp4").string()}, {"frames_dir", (folder / "again").string()}},
                            job));
  const auto names = test::names_in(folder / "frames");
  REQUIRE(names == test::names_in(folder / "again"));
  for (const std::string& name : names) {
    CHECK(test::read_text(folder / "frames" / name) == test::read_text(folder / "again" / name));
  }
  const auto first = parse_comment(read_comment(folder / "v.mp4"));
  const auto second = parse_comment(read_comment(folder / "again.mp4"));
  CHECK(second->command == "t2v");
  auto settings = nlohmann::json::parse(second->settings_json);
  settings["output"] = nlohmann::json::parse(first->settings_json)["output"];
  CHECK(settings == nlohmann::json::parse(first->settings_json));
}

TEST_CASE("the metadata tells what the run was", "[engine]") {
  const test::TempDir folder;
  test::make(test::small_request(folder, at::kCPU));
  const auto run = nlohmann::json::parse(parse_comment(read_comment(folder / "v.mp4"))->run_json);
  CHECK(run["device"] == "cpu");
  CHECK(run["attention"] == "aten");
  CHECK(run["seconds"]["tokens"].get<double>() > 0);
}

TEST_CASE("what is not a codes file is an input error that says why", "[engine]") {
  const test::TempDir folder;
  const auto path = folder / "c.safetensors";
  const auto problem = [&] {
    const Error error = error_of([&] { read_codes(path); });
    CHECK(error.kind() == ErrorKind::input);
    return std::string(error.what());
  };
  test::write_text(path, "no safetensors");
  CHECK(problem().find("c.safetensors") != std::string::npos);
  write_tensors(path, {{"clip.0.summed_codes", at::zeros({1, 64, 1, 12, 21})}}, {});
  CHECK(problem().find("settings") != std::string::npos);
  write_tensors(path, {{"other", at::zeros({1})}});
  CHECK(problem().find("clip.0.summed_codes") != std::string::npos);
  write_tensors(path, {{"clip.0.summed_codes", at::zeros({1, 3, 1, 12, 21})}});
  CHECK(problem().find("[1, 3, 1, 12, 21]") != std::string::npos);
  write_tensors(path, {{"clip.0.summed_codes", at::zeros({1, 64, 1, 12, 21})},
                       {"clip.1.summed_codes", at::zeros({1, 64, 4, 12, 20})}});
  CHECK(problem().find("clip.1") != std::string::npos);
  write_tensors(path, {{"clip.0.summed_codes", at::full({1, 64, 1, 2, 2}, NAN)}});
  CHECK(problem().find("finite") != std::string::npos);
}

TEST_CASE("codes of another name than a video's are refused before anything loads", "[engine]") {
  const test::TempDir folder;
  write_tensors(folder / "c.safetensors", {{"clip.0.summed_codes", at::zeros({1, 64, 5, 12, 21})}});
  const Request job = test::small_request(folder, at::kCPU);
  const Error error = error_of([&] {
    decode_request(folder / "c.safetensors", {{"output", (folder / "v.png").string()}}, job);
  });
  CHECK(error.kind() == ErrorKind::usage);
}

TEST_CASE("codes with sections that are none, or nested without a floor, are an input error", "[codes]") {
  const test::TempDir folder;
  const std::string deep = std::string(5000, '[') + std::string(5000, ']');
  for (const char* settings : {R"({"command": "t2v", "generate": "x"})", R"({"command": "t2v", "model": 4})"}) {
    write_safetensors(folder / "c.safetensors", {{"clip.0.summed_codes", at::ones({1, 64, 1, 2, 2})}},
                      {{"faststar", settings}}, Existing::replace);
    CHECK(test::error_of([&] { read_codes(folder / "c.safetensors"); }).kind() == ErrorKind::input);
  }
  write_safetensors(folder / "c.safetensors", {{"clip.0.summed_codes", at::ones({1, 64, 1, 2, 2})}},
                    {{"faststar", "{\"command\": \"t2v\", \"a\": " + deep + "}"}}, Existing::replace);
  CHECK(test::error_of([&] { read_codes(folder / "c.safetensors"); }).kind() == ErrorKind::input);
}

}  // namespace faststar
