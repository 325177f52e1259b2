// The built program from outside: exit codes, stdout and stderr. Each start costs half a second.
#include <sys/wait.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "support/support.h"

namespace faststar {
namespace {

struct Outcome {
  int exit_code = -1;
  std::string out;
  std::string error;
};

/// Runs `faststar <arguments>` in `folder`; `arguments` are shell text, and their redirections win.
Outcome run(const test::TempDir& folder, const std::string& arguments, const std::string& environment = "") {
  const std::string command = fmt::format("cd '{}' && >out 2>err </dev/null env {} '{}' {}", folder.path().string(),
                                          environment, test::program(), arguments);
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, test::read_text(folder / "out"),
          test::read_text(folder / "err")};
}

}  // namespace

TEST_CASE("help and version go to stdout, and help fits a screen", "[cli]") {
  const test::TempDir folder;
  const Outcome help = run(folder, "t2v --help");
  CHECK(help.exit_code == 0);
  CHECK(std::count(help.out.begin(), help.out.end(), '\n') <= 25);
  CHECK(help.out.find("--crf") == std::string::npos);
  const Outcome all = run(folder, "t2v --help-all");
  CHECK(all.out.find("--crf N") != std::string::npos);
  std::istringstream lines(all.out);
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 80);
  const Outcome picture = run(folder, "t2i --help-all");
  CHECK(picture.out.find("--crf") == std::string::npos);
  const Outcome version = run(folder, "--version");
  CHECK(version.exit_code == 0);
  CHECK(version.out.find("LibTorch 2.") != std::string::npos);
  CHECK(run(folder, "--list-devices").out.starts_with("cpu\n"));
}

TEST_CASE("a plan is printed on stderr and as JSON on stdout", "[cli]") {
  const test::TempDir folder;
  const Outcome plan = run(folder, "t2v -p 'a red ball' --random-weights --dry-run --json --seed 3 --device cpu",
                           "LC_ALL=C FASTSTAR_GUIDANCE=1.5");
  CHECK(plan.exit_code == 0);
  CHECK(plan.error.find("size: 336x192, 33 frames") != std::string::npos);
  CHECK(plan.error.find("seed 3: ./a-red-ball-3.mp4") != std::string::npos);
  const auto json = nlohmann::json::parse(plan.out);
  CHECK(json["outputs"][0]["seed"] == 3);
  CHECK(json["outputs"][0]["settings"]["guidance"]["guidance"] == 1.5);
  CHECK_FALSE(std::filesystem::exists(folder / "a-red-ball-3.mp4"));
}

TEST_CASE("a prompt comes from stdin, and the saved settings make the same plan", "[cli]") {
  const test::TempDir folder;
  test::write_text(folder / "p.txt", "a blue star\n");
  const Outcome first = run(folder, "t2v -p - --random-weights --dry-run --save-config c.yaml --json -q <p.txt");
  REQUIRE(first.exit_code == 0);
  CHECK(first.error.empty());
  const Outcome second = run(folder, "t2v --config c.yaml --dry-run --json -q");
  CHECK(second.out == first.out);
}

TEST_CASE("exit code 2: what the user typed", "[cli]") {
  const test::TempDir folder;
  const Outcome option = run(folder, "t2v -p x --guidence 3");
  CHECK(option.exit_code == 2);
  CHECK(option.error ==
        "error: --guidence: unknown option\n"
        "hint: the nearest known one is --guidance; faststar t2v --help lists all\n");
  CHECK(run(folder, "").exit_code == 2);
  CHECK(run(folder, "t2w").error.find("the nearest known one is t2v") != std::string::npos);
  CHECK(run(folder, "t2v -p").exit_code == 2);
  CHECK(run(folder, "t2v -p x --precision fp8").error == "error: --precision: expected one of fp32, bf16, got fp8\n");
  CHECK(run(folder, "t2v -p x --random-weights --duration 3h --dry-run").exit_code == 2);
}

TEST_CASE("exit codes 3 to 6: inputs, models, devices, outputs", "[cli]") {
  const test::TempDir folder;
  const std::string t2v = "t2v --random-weights --dry-run ";
  CHECK(run(folder, t2v + "--prompt-file absent.txt").exit_code == 3);
  CHECK(run(folder, "t2v -p x --dry-run", "FASTSTAR_MODEL=absent").exit_code == 4);
  if (test::test_devices().size() == 1) CHECK(run(folder, t2v + "-p x --device cuda").exit_code == 5);
  CHECK(run(folder, t2v + "-p x -o absent/x.mp4").exit_code == 6);
  CHECK(run(folder, "--version >/dev/full").exit_code == 6);
}

}  // namespace faststar
