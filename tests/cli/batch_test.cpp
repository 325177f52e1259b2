// `faststar batch` from outside, with the tiny model and random weights.
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/media/metadata.h"
#include "core/media/video_reader.h"
#include "core/pipeline/batch/batch_folder.h"
#include "support/program.h"
#include "support/support.h"

namespace faststar {
namespace {

namespace fs = std::filesystem;
using test::run;
using test::TempDir;
using test::write_text;

constexpr const char* kBatch =
    "batch list.txt --random-weights --config tiny --duration 1 --device cpu --progress none ";

constexpr const char* kVBench = R"([
  {"prompt_en": "alley", "dimension": ["scene", "background_consistency"], "refined_prompt": "a narrow alley"}])";

size_t files_below(const fs::path& folder) {
  size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) files += entry.is_regular_file() ? 1 : 0;
  return files;
}

}  // namespace

TEST_CASE("a batch makes a list once, and the same command makes nothing again", "[cli][slow]") {
  const TempDir folder;
  write_text(folder / "list.txt", "a blue box\n");
  const auto first = run(folder, std::string(kBatch) + "--seed 7");
  CHECK(first.exit_code == 0);
  CHECK(first.out == "runs/list/videos/0001-a-blue-box-0.mp4\n");
  CHECK(VideoReader(folder / "runs/list/videos/0001-a-blue-box-0.mp4").info().frames == 17);
  CHECK(files_below(folder / "runs/list/codes") == 0);
  CHECK(files_below(folder / "runs/list/partial") == 1);  // the locks
  std::ifstream manifest(folder / "runs/list/manifest.jsonl");
  std::string record;
  std::getline(manifest, record);
  CHECK(nlohmann::json::parse(record)["seed"] == 7);
  CHECK(nlohmann::json::parse(record)["seconds"]["tokens"].get<double>() > 0);

  const auto again = run(folder, std::string(kBatch) + "--json");  // the seed comes from the folder
  CHECK(again.exit_code == 0);
  CHECK(nlohmann::json::parse(again.out)["found"] == 1);
  const auto other = run(folder, std::string(kBatch) + "--guidance 7");
  CHECK(other.exit_code == 2);
  CHECK(other.error.find("guidance.guidance was 3.0, now it is 7.0") != std::string::npos);
  CHECK(run(folder, std::string(kBatch) + "--check").exit_code == 0);
}

TEST_CASE("a VBench list gets its layout, and a check names what an evaluator misses", "[cli][slow]") {
  const TempDir folder;
  write_text(folder / "info.json", kVBench);
  const auto made =
      run(folder,
          "batch info.json --vbench --samples 1 --random-weights --config tiny --duration 3 --seed 1 -o set "
          "--device cpu --progress none -q");
  CHECK(made.exit_code == 0);
  CHECK(made.error.starts_with("warning: --duration 3"));  // once, not a video
  CHECK(std::count(made.error.begin(), made.error.end(), '\n') == 1);
  CHECK(made.out == "set/videos/scene/alley-0.mp4\n");
  const auto check = run(folder, "batch info.json --vbench --check -o set");
  CHECK(check.exit_code == 1);
  CHECK(check.out.find("missing scene/alley-4.mp4\n") != std::string::npos);
  CHECK(check.out.find("5 videos expected: 4 missing, 0 damaged") != std::string::npos);
  const auto comment = parse_comment(read_comment(folder / "set/videos/scene/alley-0.mp4"));
  REQUIRE(comment);
  CHECK(nlohmann::json::parse(comment->settings_json)["prompt"]["prompt"] == "a narrow alley");
}

TEST_CASE("a bad entry fails alone, two processes and two shards share the rest", "[cli][slow]") {
  const TempDir folder;
  write_text(
      folder / "list.jsonl",
      "{\"prompt\": \"a\", \"image\": \"absent.png\"}\n{\"prompt\": \"b\"}\n{\"prompt\": \"c\", \"guidance\": 2}\n");
  const std::string batch =
      "batch list.jsonl --random-weights --config tiny --duration 1 --seed 1 --retries 0 --progress none ";
  const auto shard = run(folder, batch + "--shard 2/3 --device cpu");
  CHECK(shard.exit_code == 0);
  CHECK(shard.out == "runs/list/videos/0002-b-0.mp4\n");
  const auto rest = run(folder, batch + "--devices cpu,cpu --json");
  CHECK(rest.exit_code == 1);
  const auto summary = nlohmann::json::parse(rest.out);
  REQUIRE(summary["failed"].size() == 1);
  CHECK(summary["failed"][0]["file"] == "0001-a-0.mp4");
  CHECK(summary["seconds"].get<double>() > 0);
  CHECK(summary["peak_memory_bytes"].get<int64_t>() > 1'000'000);
  CHECK(files_below(folder / "runs/list/videos") == 2);
}

TEST_CASE("two shards make every video of a list, and none twice", "[cli][slow]") {
  const TempDir folder;
  write_text(folder / "list.txt", "a\nb\nc\n");
  const std::string batch =
      "batch list.txt --random-weights --config tiny --duration 1 --seed 1 --device cpu --progress none --shard ";
  const auto first = run(folder, batch + "1/2");
  const auto second = run(folder, batch + "2/2");
  CHECK(first.out == "runs/list/videos/0001-a-0.mp4\nruns/list/videos/0003-c-0.mp4\n");
  CHECK(second.out == "runs/list/videos/0002-b-0.mp4\n");
  CHECK(files_below(folder / "runs/list/videos") == 3);
}

TEST_CASE("a Slurm step shares a list, a job script makes and checks all of it", "[cli][slow]") {
  const TempDir folder;
  write_text(folder / "list.txt", "a\nb\nc\n");
  const std::string batch = std::string(kBatch) + "--seed 1 ";
  const std::string script = "SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NTASKS=2 ";
  const std::string step = "SLURM_PROCID=1 SLURM_LOCALID=1 SLURM_NTASKS=2 SLURM_STEP_NUM_TASKS=2 ";
  CHECK(run(folder, batch, step).out == "runs/list/videos/0002-b-0.mp4\n");
  const auto gaps = run(folder, batch + "--check", step);
  CHECK(gaps.exit_code == 1);
  CHECK_THAT(gaps.out, ContainsSubstring("0001-a-0.mp4"));
  CHECK(run(folder, batch + "--check --shard 2/3").exit_code == 0);  // that part was asked for
  CHECK(run(folder, batch + "--shard array").exit_code == 2);
  CHECK(run(folder, batch, script).exit_code == 0);
  CHECK(files_below(folder / "runs/list/videos") == 3);
  CHECK(run(folder, batch + "--check --shard array", step).exit_code == 0);
}

TEST_CASE("a batch says what is wrong before it loads a model", "[cli]") {
  const TempDir folder;
  write_text(folder / "list.txt", "a\n");
  CHECK(run(folder, "batch absent.txt --random-weights").exit_code == 3);
  CHECK(run(folder, std::string(kBatch) + "--shard 0/2").exit_code == 2);
  CHECK(run(folder, std::string(kBatch) + "--duration 3h").exit_code == 2);
  CHECK(run(folder, std::string(kBatch) + "--samples 0").exit_code == 2);
  const auto dry = run(folder, std::string(kBatch) + "--dry-run --seed 5");
  CHECK(dry.exit_code == 0);
  CHECK(dry.out == "1 video: 0 problems\n");
  CHECK(dry.error.find("videos: 1, base seed 5") != std::string::npos);
  CHECK_FALSE(fs::exists(folder / "runs"));
}

TEST_CASE("codes that cannot be kept do not cost the video, but the exit code is that of outputs", "[cli][slow]") {
  const TempDir folder;
  write_text(folder / "list.txt", "a blue box\n");
  const BatchItem item{.file = "0001-a-blue-box-0.mp4"};
  fs::create_directories(BatchFolder(folder / "runs/list").codes(item) / "in the way");
  const auto made = run(folder, std::string(kBatch) + "--seed 7 --keep-codes");
  CHECK(made.exit_code == 6);
  CHECK(made.out == "runs/list/videos/0001-a-blue-box-0.mp4\n");
  CHECK_THAT(made.error, ContainsSubstring("video written, but its codes could not be saved"));
}

TEST_CASE("a dry run of a batch lists everything that would fail", "[cli]") {
  const TempDir folder;
  write_text(folder / "p.png", "no picture");
  write_text(folder / "list.jsonl",
             "{\"prompt\": \"a\"}\n"
             "{\"prompt\": \"b\", \"image\": \"absent.png\"}\n"
             "{\"prompt\": \"c\", \"image\": \"p.png\"}\n"
             "{\"prompt\": \" \"}\n"
             "{\"prompt\": \"d\", \"duration\": 7}\n"
             "{\"prompt\": \n"
             "{\"prompt\": \"e\", \"guidance\": \"much\"}\n");
  write_text(folder / "file", "");
  const std::string batch = "batch list.jsonl --random-weights --config tiny --samples 2 --dry-run -q ";
  const auto dry = run(folder, batch + "--json -o file/runs");
  CHECK(dry.exit_code == 1);
  const auto json = nlohmann::json::parse(dry.out);
  std::vector<std::string> origins;
  for (const auto& problem : json["problems"]) origins.push_back(problem["origin"]);
  CHECK(origins == std::vector<std::string>{"file/runs", "list.jsonl:2", "list.jsonl:3", "list.jsonl:4", "list.jsonl:5",
                                            "list.jsonl:6", "list.jsonl:7"});
  CHECK(json["problems"][3]["error"] == "the prompt is empty");
  CHECK_THAT(json["problems"][4]["error"].get<std::string>(), ContainsSubstring("duration 7"));
  const auto typed = run(folder, "batch - --random-weights --config tiny --dry-run -q <list.jsonl");
  CHECK(typed.exit_code == 1);
  CHECK_THAT(typed.out, ContainsSubstring("stdin:2: absent.png: "));
  CHECK_THAT(typed.out, ContainsSubstring("\n7 videos: 6 problems\n"));
  // The time is that of the videos that can be made: of two samples of the first entry, and then of none.
  const auto told = run(folder, "batch list.jsonl --random-weights --config tiny --samples 2 --dry-run -o runs");
  CHECK_THAT(told.error, ContainsSubstring("time: about "));
  CHECK_THAT(told.error, ContainsSubstring(", 2 videos\n"));
  write_text(folder / "none.jsonl", "{\"prompt\": \" \"}\n");
  const auto none = run(folder, "batch none.jsonl --random-weights --config tiny --dry-run --json -o runs");
  CHECK(none.error.find("time: ") == std::string::npos);
  CHECK(nlohmann::json::parse(none.out)["seconds_estimate"].is_null());
  CHECK_FALSE(fs::exists(folder / "runs"));
}

}  // namespace faststar
