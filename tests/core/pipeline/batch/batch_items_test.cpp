#include "core/pipeline/batch/batch_items.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "core/pipeline/batch/batch_folder.h"
#include "support/support.h"

namespace faststar {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::TempDir;
using test::write_text;

constexpr const char* kList = R"([
  {"prompt_en": "In a still frame, a stop sign", "dimension": ["temporal_flickering"], "refined_prompt": "one"},
  {"prompt_en": "A person is \"riding\" a bike", "dimension": ["human_action"], "refined_prompt": "two"},
  {"prompt_en": "old fa\u00e7ades", "dimension": ["overall_consistency", "aesthetic_quality", "imaging_quality"], "refined_prompt": "three"},
  {"prompt_en": "a landscape", "dimension": ["appearance_style"], "refined_prompt": "four"},
  {"prompt_en": "a landscape", "dimension": ["overall_consistency", "aesthetic_quality", "imaging_quality"], "refined_prompt": "five"},
  {"prompt_en": "A landscape", "dimension": ["overall_consistency", "aesthetic_quality", "imaging_quality"], "refined_prompt": "six"},
  {"prompt_en": "alley", "dimension": ["scene", "background_consistency"], "refined_prompt": "seven"},
  {"prompt_en": "a person swimming", "dimension": ["subject_consistency", "dynamic_degree", "motion_smoothness"], "refined_prompt": "eight"}
])";

PromptList vbench_list(const TempDir& folder) {
  write_text(folder / "info.json", kList);
  return read_prompt_list({.list = folder / "info.json"});
}

/// How VBench's scripts find the videos of one dimension, written after them and not after ours: the folder from
/// dimension_to_folder.json, the extension from whatever the folder lists first, five exact names a prompt.
std::vector<std::string> missed_by_vbench(const fs::path& videos, const std::string& dimension) {
  const nlohmann::json folders = {{"aesthetic_quality", "overall_consistency"},
                                  {"background_consistency", "scene"},
                                  {"dynamic_degree", "subject_consistency"},
                                  {"imaging_quality", "overall_consistency"},
                                  {"motion_smoothness", "subject_consistency"}};
  const fs::path folder = videos / folders.value(dimension, dimension);
  std::vector<std::string> missed;
  const int samples = dimension == "temporal_flickering" ? 25 : 5;
  for (const auto& entry : nlohmann::json::parse(kList)) {
    const auto& listed = entry["dimension"];
    if (std::find(listed.begin(), listed.end(), dimension) == listed.end()) continue;
    const std::string extension = fs::directory_iterator(folder)->path().extension().string();
    for (int i = 0; i < samples; ++i) {
      const std::string name = entry["prompt_en"].get<std::string>() + "-" + std::to_string(i) + extension;
      if (!fs::exists(folder / name)) missed.push_back(name);
    }
  }
  return missed;
}

}  // namespace

TEST_CASE("an evaluator finds every video of a list, and nothing else lies there", "[batch]") {
  const TempDir folder;
  const BatchFolder batch(folder / "run");
  const auto items = list_items(vbench_list(folder), {.for_benchmark = true});
  CHECK(items.size() == 25 + 7 * 5);
  batch.create(items);
  for (const BatchItem& item : items) write_text(batch.video(item), "x");
  for (const char* dimension :
       {"subject_consistency", "background_consistency", "temporal_flickering", "motion_smoothness", "dynamic_degree",
        "aesthetic_quality", "imaging_quality", "human_action", "scene", "appearance_style", "overall_consistency"}) {
    CHECK(missed_by_vbench(batch.videos(), dimension).empty());
  }
  CHECK(check_coverage(batch, items).complete());
  fs::remove(batch.videos() / "scene" / "alley-3.mp4");
  CHECK(missed_by_vbench(batch.videos(), "background_consistency") == std::vector<std::string>{"alley-3.mp4"});
}

TEST_CASE("file names hold the short prompt, the model gets the refined one", "[batch]") {
  const TempDir folder;
  const auto items = list_items(vbench_list(folder), {.for_benchmark = true, .samples = 1, .base_seed = 10});
  REQUIRE(items.size() == 8);
  CHECK(items[1].file == "human_action/A person is \"riding\" a bike-0.mp4");
  CHECK(items[1].text == "two");
  CHECK(items[2].file ==
        "overall_consistency/old fa\xc3\xa7"
        "ades-0.mp4");
  CHECK(items[3].file == "appearance_style/a landscape-0.mp4");
  CHECK(items[4].file == "overall_consistency/a landscape-0.mp4");
  CHECK(items[4].text == "five");
  CHECK(items[6].seed == 16);
}

TEST_CASE("a seed is base + prompt index * samples + sample index", "[batch]") {
  const TempDir folder;
  const auto items = list_items(vbench_list(folder), {.for_benchmark = true, .base_seed = 1000});
  CHECK(items[24].seed == 1024);      // temporal_flickering, index 24
  CHECK(items[25].seed == 1000 + 5);  // the next prompt
  CHECK(items[25 + 6].seed == 1000 + 2 * 5 + 1);
  const PromptList list{.entries = {{.prompt = "a"}, {.prompt = "b", .options = {{"seed", "7"}}}}};
  const auto numbered = list_items(list, {.samples = 2, .base_seed = 4294967295});
  CHECK(numbered[1].seed == 0);  // 32 bits
  CHECK(numbered[3].seed == 8);
  CHECK_FALSE(numbered[3].options.contains("seed"));
}

TEST_CASE("names that differ by case only are found", "[batch]") {
  const TempDir folder;
  const auto items = list_items(vbench_list(folder), {.for_benchmark = true, .samples = 1});
  const auto collision = find_case_collision(items);
  REQUIRE(collision);
  CHECK(collision->first == "overall_consistency/a landscape-0.mp4");
  CHECK(collision->second == "overall_consistency/A landscape-0.mp4");
  CHECK_FALSE(find_case_collision({items[3], items[4]}));
}

TEST_CASE("a prompt that cannot be a name is a problem of its own items", "[batch]") {
  const PromptList list{
      .entries = {{.prompt = "a/b"}, {.prompt = std::string(252, 'x')}, {.prompt = "\xff"}, {.prompt = "fine"}}};
  const auto items = list_items(list, {.for_benchmark = true, .samples = 1});
  CHECK(items[0].problem.find("'/'") != std::string::npos);
  CHECK(items[1].problem == "the prompt cannot be a file name: at most 255 bytes, got 258");
  CHECK(items[2].problem.find("UTF-8") != std::string::npos);
  CHECK(items[3].problem.empty());
  CHECK(list_items(list, {})[0].problem.empty());  // numbered names are made of words
}

TEST_CASE("equal prompts in one folder are one video, or an error when they mean two", "[batch]") {
  const PromptList twice{.entries = {{.prompt = "a"}, {.prompt = "a"}}};
  CHECK(list_items(twice, {.for_benchmark = true}).size() == 5);
  const PromptList different{
      .entries = {{.origin = "l:1", .prompt = "a"}, {.origin = "l:2", .prompt = "a", .refined = "a b"}}};
  const Error error = error_of([&] { list_items(different, {.for_benchmark = true}); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK(std::string(error.what()) == "l:2: a-0.mp4 is already the file of l:1");
  CHECK(list_items(different, {}).at(1).file == "0002-a-0.mp4");
}

TEST_CASE("VBench-2.0 cuts names after 180 characters and has a folder a dimension", "[batch]") {
  std::string prompt;
  for (int i = 0; i < 200; ++i) prompt += "\xc3\xa7";
  const PromptList list{.benchmark = Benchmark::vbench2,
                        .entries = {{.prompt = prompt, .dimensions = {"Camera_Motion", "Diversity"}}}};
  const auto items = list_items(list, {.for_benchmark = true});
  CHECK(items.size() == 3 + 20);
  CHECK(items[0].file == "Camera_Motion/" + prompt.substr(0, 360) + "-0.mp4");
  CHECK(items[0].problem == "the prompt cannot be a file name: at most 255 bytes, got 366");
}

TEST_CASE("an empty prompt or image name is a problem of its own item", "[batch]") {
  PromptList list;
  list.entries.push_back({.origin = "list:1", .prompt = " \u3000"});
  list.entries.push_back({.origin = "list:2", .prompt = "x", .options = {{"image", ""}}});
  list.entries.push_back({.origin = "list:3", .prompt = "x"});
  const auto items = list_items(list, {.base_seed = 1});
  REQUIRE(items.size() == 3);
  CHECK(items[0].problem == "the prompt is empty");
  CHECK(items[1].problem == "image: expected a file name, got nothing");
  CHECK(items[2].problem.empty());
}

TEST_CASE("a dimension that leads out of the folder is a problem of its own items", "[batch]") {
  const TempDir folder;
  const std::string outside = (folder / "outside").string();
  const auto dimension =
      GENERATE_COPY(as<std::string>{}, outside, "x/../../..", "..", ".", "a/b", "a\nb", "a\x7f", "\xc2\x9b", "\xff");
  CAPTURE(dimension);
  PromptList list{.benchmark = Benchmark::vbench2};
  list.entries.push_back({.origin = "list:1", .prompt = "a", .dimensions = {dimension}});
  list.entries.push_back({.origin = "list:2", .prompt = "b", .dimensions = {"Diversity"}});
  const auto items = list_items(list, {.for_benchmark = true, .samples = 1});
  REQUIRE(items.size() == 2);
  CHECK(items[0].problem.starts_with("the dimension cannot be a file name: "));
  CHECK(items[1].problem.empty());
  const BatchFolder batch(folder / "run");
  batch.create(items);
  CHECK(fs::exists(batch.videos() / "Diversity"));
  CHECK(std::distance(fs::directory_iterator(batch.videos()), fs::directory_iterator()) == 1);
  CHECK_FALSE(fs::exists(outside));
  CHECK(check_coverage(batch, items).foreign.empty());  // looks into no other folder
}

}  // namespace faststar
