#include <fstream>
#include <nlohmann/json.hpp>

#include "core/pipeline/batch/batch_folder.h"
#include "support/full_disk.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::error_of;
using test::TempDir;

ManifestRecord finished(const std::string& file, int64_t bytes = 10) {
  ManifestRecord record;
  record.file = file;
  record.finished = true;
  record.prompt_en = "a \"quoted\"\nball";
  record.result = {.seconds = {{"tokens", 1.25}}, .peak_bytes = 5, .device = "cpu", .prompt = "long", .text_cut = true};
  record.seed = 4294967295;
  record.settings_hash = "00ff";
  record.bytes = bytes;
  return record;
}

ManifestRecord failed(const std::string& file) {
  ManifestRecord record = finished(file);
  record.finished = false;
  record.error = "no image";
  return record;
}

}  // namespace

TEST_CASE("a manifest reads back what it wrote, the last word on each item", "[batch]") {
  const TempDir folder;
  Manifest manifest(folder / "manifest.jsonl");
  CHECK(manifest.items().empty());
  manifest.append(failed("a.mp4"));
  manifest.append(finished("a.mp4", 77));
  manifest.append(failed("b.mp4"));
  manifest.refresh();
  const ItemState* a = manifest.find("a.mp4");
  REQUIRE(a);
  CHECK(a->last.finished);
  CHECK(a->last.bytes == 77);
  CHECK(a->last.seed == 4294967295);
  CHECK(a->last.prompt_en == "a \"quoted\"\nball");
  CHECK(a->last.result.text_cut);
  CHECK(a->failures == 1);
  CHECK(manifest.find("b.mp4")->last.error == "no image");
  CHECK(manifest.find("c.mp4") == nullptr);
}

TEST_CASE("a line of the manifest says all there is to know about a video", "[batch]") {
  const TempDir folder;
  Manifest(folder / "m").append(finished("scene/a-0.mp4"));
  const auto line = nlohmann::json::parse(test::read_text(folder / "m"));
  CHECK(line["file"] == "scene/a-0.mp4");
  CHECK(line["status"] == "finished");
  CHECK(line["prompt"] == "long");
  CHECK(line["settings"] == "00ff");
  CHECK(line["seconds"]["tokens"] == 1.25);
  CHECK(line["peak_bytes"] == 5);
  CHECK(line["version"] == FASTSTAR_VERSION);
}

TEST_CASE("a line that a killed process left half is cut off by the next", "[batch]") {
  const TempDir folder;
  const auto path = folder / "manifest.jsonl";
  Manifest(path).append(finished("a.mp4"));
  const std::string whole = test::read_text(path);
  std::ofstream(path, std::ios::app) << whole.substr(0, whole.size() / 2);
  Manifest manifest(path);
  CHECK(manifest.items().size() == 1);
  manifest.append(finished("b.mp4"));
  manifest.refresh();
  CHECK(manifest.items().size() == 2);
  CHECK(Manifest(path).find("b.mp4")->line == 2);
}

TEST_CASE("a damaged line is named", "[batch]") {
  const TempDir folder;
  const auto path = folder / "manifest.jsonl";
  Manifest(path).append(finished("a.mp4"));
  std::ofstream(path, std::ios::app) << "{\"file\": 3}\n";
  const Error error = error_of([&] { Manifest again(path); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK(std::string(error.what()).find("manifest.jsonl:2: not a line written by faststar batch") != std::string::npos);
}

TEST_CASE("two manifests of one file see each other's lines", "[batch]") {
  const TempDir folder;
  Manifest one(folder / "m");
  Manifest two(folder / "m");
  one.append(finished("a.mp4"));
  two.append(finished("b.mp4"));
  one.refresh();
  CHECK(one.items().size() == 2);
}

TEST_CASE("a full disk leaves no half line in the manifest", "[batch]") {
  const TempDir folder;
  Manifest manifest(folder / "m");
  manifest.append(finished("a.mp4"));
  const std::string before = test::read_text(folder / "m");
  {
    const test::FullDisk disk(before.size() + 20);
    CHECK(error_of([&] { manifest.append(finished("b.mp4")); }).kind() == ErrorKind::output);
  }
  CHECK(test::read_text(folder / "m") == before);
}

}  // namespace faststar
