// --devices of the commands that make one video, from outside, with processes on the CPU.
#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/base/weights/weights.h"
#include "support/program.h"
#include "support/support.h"

namespace faststar {
namespace {

namespace fs = std::filesystem;
using test::run;
using test::TempDir;

/// A clip of the embedded model in a second or two.
constexpr const char* kShort =
    " --seed 3 --sampling greedy --precision fp32 --progress none --image-repetitions 1,1,1,1,1,1,1,1,1,1,1"
    " --video-repetitions 1,1,1,1,1,1,1,1,1,1,1";

/// The accumulated features of a file of codes, by clip.
std::vector<Tensor> clips_of(const fs::path& file) {
  const auto source = open_checkpoint(file);
  std::vector<Tensor> clips;
  for (const auto& [name, info] : source->tensors()) clips.push_back(source->read(name, info, at::kCPU).clone());
  return clips;
}

/// Names of what is in a folder but for the output of the program.
std::set<std::string> names_in(const TempDir& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.path())) names.insert(entry.path().filename().string());
  for (const char* own : {"out", "err", "run.sh"}) names.erase(own);
  return names;
}

/// Makes a video in one process and in several. What is printed is the same, and the codes are but for what other sums
/// make of near ties: those of another seed are further away than their own length.
void check_same(const TempDir& folder, const std::string& arguments, const char* devices) {
  const std::string command = arguments + kShort + " --overwrite -o v.mp4 --save-codes c.safetensors";
  const auto one = run(folder, command + " --device cpu");
  CAPTURE(command, devices, one.error);
  REQUIRE(one.exit_code == 0);
  const std::vector<Tensor> expected = clips_of(folder / "c.safetensors");
  const auto several = run(folder, command + " --devices " + devices);
  CAPTURE(several.error);
  REQUIRE(several.exit_code == 0);
  CHECK(several.out == one.out);
  const std::vector<Tensor> made = clips_of(folder / "c.safetensors");
  REQUIRE(made.size() == expected.size());
  for (size_t clip = 0; clip < made.size(); ++clip) {
    REQUIRE(made[clip].sizes() == expected[clip].sizes());
    const Tensor error = at::linalg_vector_norm(made[clip] - expected[clip]) / at::linalg_vector_norm(expected[clip]);
    CHECK(error.item<double>() < 0.2);
  }
}

/// Runs t2v with two processes and does `action` to process $1 of them once it makes tokens. The exit code is that of
/// the program; it writes to out and err.
int run_and(const TempDir& folder, int process, const char* action) {
  test::write_text(
      folder / "run.sh",
      fmt::format(
          "'{}' t2v -p 'a red ball' --seed 3 --progress none -o v.mp4 --devices cpu,cpu & run=$!\n"
          "trap 'kill -9 $(cat /proc/$run/task/*/children) $run' TERM\n"
          "until grep -q '^load' err; do sleep 0.1; done\n"
          "set -- $(cat /proc/$run/task/*/children)\n"
          "{} ${}\n"
          "wait $run\ncode=$?\nkill -0 $1 2>/dev/null && echo left\nkill -0 $2 2>/dev/null && echo left\nexit $code\n",
          test::program(), action, process));
  const std::string script = fmt::format("cd '{}' && timeout 90 sh run.sh >out 2>err", folder.path().string());
  return WEXITSTATUS(std::system(script.c_str()));
}

}  // namespace

TEST_CASE("several devices make the video of one", "[cli][group]") {
  const TempDir folder;
  SECTION("text to video") {
    const char* const devices = GENERATE("cpu,cpu", "cpu,cpu,cpu");
    check_same(folder, "t2v --duration 1 -p 'a red ball bouncing'", devices);
  }
  SECTION("the prompt is on stdin, and tokens are reduced") {
    test::write_text(folder / "p.txt", "a blue square");
    check_same(folder, "t2v --duration 1 --reduce faststar -p - <p.txt", "cpu,cpu");
  }
  SECTION("from a picture") {
    REQUIRE(run(folder, "t2i -p 'a red ball' --seed 3 -o p.png --device cpu -q").exit_code == 0);
    check_same(folder, "i2v --duration 1 --image p.png -p 'it falls'", "cpu,cpu");
  }
}

TEST_CASE("several devices continue a video as one does", "[cli][group][slow]") {
  const TempDir folder;
  REQUIRE(run(folder, std::string("t2v -p 'a red ball' -o s.mp4 --device cpu -q") + kShort).exit_code == 0);
  check_same(folder, "v2v --video s.mp4 -p 'it falls'", "cpu,cpu");
}

TEST_CASE("several devices make a story of typed lines", "[cli][group]") {
  const TempDir folder;
  test::write_text(folder / "prompts.txt", "a red ball\na red ball falls\n");
  const auto made = run(folder, std::string("interact - --json -o s.mp4 --devices cpu,cpu <prompts.txt") + kShort);
  CAPTURE(made.error);
  REQUIRE(made.exit_code == 0);
  CHECK(std::count(made.out.begin(), made.out.end(), '\n') == 3);  // two clips and the joined file
  CHECK(names_in(folder) == std::set<std::string>{"prompts.txt", "s-000.mp4", "s-001.mp4", "s.mp4"});
}

TEST_CASE("a list of devices that makes no sense is refused before the work", "[cli][group]") {
  const TempDir folder;
  const auto error_of = [&](const std::string& options, const std::string& environment = "") {
    const auto outcome = run(folder, "t2v -p x -o v.mp4 " + options, environment);
    CHECK(outcome.exit_code == 2);
    return outcome.error;
  };
  CHECK(error_of("--devices cpu,0").starts_with("error: --devices: expected different GPUs, or cpu alone"));
  CHECK(error_of("--devices 0,0").starts_with("error: --devices: expected different GPUs"));
  CHECK(error_of("--devices ,").starts_with("error: --devices: expected a list"));
  CHECK(error_of("--devices cpu,cpu --device cpu").starts_with("error: --devices: cannot be combined with --device"));
  CHECK(error_of("--devices cpu,cpu", "RANK=0 WORLD_SIZE=2 LOCAL_RANK=0").starts_with("error: --devices: a launcher"));
  CHECK(run(folder, "t2v -p x -o v.mp4 --devices 0,1", "CUDA_VISIBLE_DEVICES=").exit_code == 5);
  // The first process has nothing to say that the error does not.
  const auto twice = run(folder, "t2v -p x -o none/v.mp4 --progress none -q --devices cpu,cpu");
  CHECK(twice.exit_code == 6);
  CHECK(twice.error.starts_with("error: none"));
  CHECK(twice.error.find("error:") == twice.error.rfind("error:"));
  CHECK(names_in(folder).empty());
}

TEST_CASE("a dry run plans for each of several devices, and its time is a guess", "[cli][group]") {
  const TempDir folder;
  const auto plan = run(folder, "t2v -p x --dry-run --json --devices cpu,cpu");
  REQUIRE(plan.exit_code == 0);
  CHECK(plan.error.find("), on each device\n") != std::string::npos);
  CHECK(nlohmann::json::parse(plan.out)["estimate_source"] == "guess");
  CHECK(names_in(folder).empty());
}

TEST_CASE("a process that is killed ends the others with one line", "[cli][group]") {
  const TempDir folder;
  const int process = GENERATE(1, 2);
  const int code = run_and(folder, process, "kill -9");
  const std::string error = test::read_text(folder / "err");
  CAPTURE(process, error);
  CHECK(code == 70);
  CHECK(error.find(fmt::format("error: cpu, process {} of 2: ended with exit code 137\n", process)) !=
        std::string::npos);
  CHECK(error.find("error:") == error.rfind("error:"));
  CHECK(test::read_text(folder / "out").empty());  // no process is left
  CHECK(names_in(folder).empty());
}

TEST_CASE("a process that is stopped ends the others", "[cli][group][slow]") {
  const TempDir folder;
  const int code = run_and(folder, GENERATE(1, 2), "kill -STOP");
  const std::string error = test::read_text(folder / "err");
  CAPTURE(error);
  CHECK(code == 70);
  CHECK(error.find("of 2 does not answer\n") != std::string::npos);
  CHECK(error.find("error:") == error.rfind("error:"));
  CHECK(test::read_text(folder / "out").empty());
  CHECK(names_in(folder).empty());
}

TEST_CASE("an interrupt ends all processes after the same step", "[cli][group]") {
  const TempDir folder;
  const int code = run_and(folder, 1, "kill -TERM $run #");
  const std::string error = test::read_text(folder / "err");
  CAPTURE(error);
  CHECK(code == 143);
  CHECK(test::read_text(folder / "out").empty());
  CHECK(names_in(folder).empty());
}

TEST_CASE("verify passes with several processes", "[cli][group]") {
  const TempDir folder;
  fs::create_directory(folder / "set");
  for (const char* file :
       {"meta.json", "star_weights", "star_greedy.safetensors", "vae_weights.pth", "vae_io.safetensors"})
    fs::create_symlink(test::golden_dir() / file, fs::path(folder / "set") / file);
  const auto verified = run(folder, "verify set --devices cpu,cpu");
  CAPTURE(verified.error);
  CHECK(verified.exit_code == 0);
  CHECK(verified.out == "passed\n");
}

}  // namespace faststar
