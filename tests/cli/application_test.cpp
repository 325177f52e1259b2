// The built program from outside: exit codes, stdout and stderr. Each start costs half a second.
#include <ATen/ATen.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/weights/safetensors.h"
#include "core/config/preset.h"
#include "core/media/image.h"
#include "core/media/metadata.h"
#include "core/media/sample_media.h"
#include "support/program.h"
#include "support/support.h"

namespace faststar {

using test::Outcome;
using test::run;

/// Columns of the widest line.
size_t width_of(const std::string& page) {
  size_t widest = 0;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) widest = std::max(widest, line.size());
  return widest;
}

TEST_CASE("help fits a screen of 80 columns and 25 lines", "[cli]") {
  const test::TempDir folder;
  const auto command = GENERATE(as<std::string>{}, "t2v", "t2i", "i2v", "v2v", "interact", "batch", "decode", "info",
                                "verify", "compare", "heatmap", "train", "evaluate", "bench", "bench ops",
                                "bench start", "bench media", "study reduction", "convert", "completions", "man");
  CAPTURE(command);
  const Outcome help = run(folder, command + " --help");
  CHECK(help.exit_code == 0);
  CHECK(std::count(help.out.begin(), help.out.end(), '\n') <= 25);
  CHECK(width_of(help.out) <= 80);
  CHECK(width_of(run(folder, command + " --help-all").out) <= 80);
}

TEST_CASE("help and version go to stdout", "[cli]") {
  const test::TempDir folder;
  const Outcome help = run(folder, "v2v --help");
  CHECK(help.out.find("--video FILE") != std::string::npos);
  CHECK(help.out.find("--crf") == std::string::npos);
  const Outcome all = run(folder, "v2v --help-all");
  CHECK(all.out.find("--crf N") != std::string::npos);
  CHECK(width_of(all.out) <= 80);
  CHECK(all.out.find("--help-all shows more") == std::string::npos);  // this is all
  const Outcome picture = run(folder, "t2i --help-all");
  CHECK(picture.out.find("--crf") == std::string::npos);
  const Outcome version = run(folder, "--version");
  CHECK(version.exit_code == 0);
  CHECK(version.out.find("LibTorch 2.") != std::string::npos);
  CHECK(run(folder, "--list-devices").out.starts_with("cpu\n"));
}

TEST_CASE("a file whose name begins with a dash is named after --", "[cli]") {
  const test::TempDir folder;
  test::write_video(folder / "-d.mp4", test::numbered_frames(2), {}, to_comment({"1", "t2v", "{}", ""}));
  const Outcome info = run(folder, "info -- -d.mp4");
  CHECK(info.exit_code == 0);
  CHECK(info.out.starts_with("made by faststar 1 t2v"));
}

TEST_CASE("a reader that has read enough ends the output quietly", "[cli]") {
  const test::TempDir folder;
  const Outcome cut =
      run(folder,
          fmt::format("--help 2>help.err | true; sleep 0.1; '{}' t2v --help-all 2>>help.err | true", test::program()));
  CHECK(test::read_text(folder / "help.err").empty());
  CHECK(cut.exit_code == 0);
}

TEST_CASE("an installation without the embedded model says what is missing", "[cli]") {
  namespace fs = std::filesystem;
  const test::TempDir folder;
  const fs::path configs = folder / "share/faststar/configs";
  fs::create_directories(configs);
  fs::create_directories(folder / "bin");
  fs::copy_file(preset_file("720p"), configs / "720p.yaml");
  fs::copy_file(test::program(), folder / "bin/faststar");
  const Outcome missing = run(folder, "--version >version; bin/faststar t2v -p x --dry-run --device cpu 2>missing");
  CHECK(missing.exit_code == 4);
  CHECK(test::read_text(folder / "missing").find("the model that comes with faststar is missing") != std::string::npos);
}

TEST_CASE("the embedded model says which words and shapes it does not know", "[cli]") {
  const test::TempDir folder;
  const Outcome piano =
      run(folder, "t2v -p 'a cat playing the piano in the snow' --aspect 9:16 --dry-run -q --device cpu");
  CHECK(piano.exit_code == 0);
  CHECK(piano.error.find("does not know cat, playing, piano, snow:") != std::string::npos);
  CHECK(piano.error.find("--model DIR takes a model that knows more") != std::string::npos);
  CHECK(piano.error.find("was trained for --aspect 16:9 only") != std::string::npos);
  CHECK(run(folder, "t2v -p 'a red ball moving left on a blue background' --dry-run -q --device cpu").error.empty());
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

TEST_CASE("a dry run plans for a GPU that is not here", "[cli]") {
  const test::TempDir folder;
  const auto plan = [&](const std::string& options) {
    return run(folder, "t2v -p 'a boat' --random-weights --dry-run --device cuda " + options, "CUDA_VISIBLE_DEVICES=");
  };
  const Outcome fits = plan("--config 720p --vram 48");
  CHECK(fits.exit_code == 0);
  CHECK_THAT(fits.error, ContainsSubstring("no GPU available"));
  CHECK_THAT(fits.error, ContainsSubstring("planning for one with 48 GB"));
  CHECK_THAT(fits.error, ContainsSubstring("memory: "));
  CHECK_THAT(fits.error, ContainsSubstring(", plus 1.2 GB for CUDA\n"));
  CHECK_THAT(plan("--config turbo --vram 24").error, ContainsSubstring("hint: --fp8-scales all,"));
  CHECK(plan("--config turbo --vram 24 --fp8-scales all").exit_code == 0);
  test::write_text(folder / "turbo.yaml", "base: turbo\nruntime:\n  fp8_scales: all\n");
  CHECK(plan("--config turbo.yaml --vram 24").exit_code == 0);
  test::write_text(folder / "list.txt", "a boat\n");
  const Outcome batch =
      run(folder, "batch list.txt -o x --config 720p --random-weights --dry-run --device cuda --vram 48");
  const size_t first = batch.error.find("no GPU available");
  CHECK(first != std::string::npos);
  CHECK(batch.error.find("no GPU available", first + 1) == std::string::npos);
  const Outcome small = plan("--config 720p --vram 16");
  CHECK(small.exit_code == 5);
  CHECK_THAT(small.error, ContainsSubstring("needs at least"));
  CHECK_THAT(small.error, ContainsSubstring("--vram 16 allows"));
  const Outcome fp8 = plan("--config turbo --vram 48");
  CHECK(fp8.exit_code == 0);
  CHECK_THAT(fp8.error, ContainsSubstring("fp8 needs compute capability 8.9 or newer"));
  const Outcome unknown = plan("");
  CHECK(unknown.exit_code == 5);
  CHECK_THAT(unknown.error, ContainsSubstring("hint: --vram 24 plans for a GPU of 24 GB that is not here"));
  const std::string work = "t2v -p x --random-weights --device cuda --vram 48";
  CHECK(run(folder, work, "CUDA_VISIBLE_DEVICES=").exit_code == 5);  // only a dry run needs none
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
        "hint: did you mean --guidance? faststar t2v --help lists all\n");
  const std::string retired = "t2v -p x --random-weights --dry-run -q --device cpu";
  CHECK(run(folder, retired + " --reduce-tie-break hash --faststar-eps 1e-08 --tome-dst-rand").exit_code == 0);
  const Outcome gone = run(folder, retired + " --reduce-tie-break index");
  CHECK(gone.exit_code == 2);
  CHECK(gone.error ==
        "error: --reduce-tie-break: this setting was removed and now always is hash, got index\n"
        "hint: leave the setting out\n");
  CHECK(run(folder, retired + " --tome-dst-rand=false").error.find("this setting was removed") != std::string::npos);
  CHECK(run(folder, "t2v --help-all").out.find("tie-break") == std::string::npos);
  CHECK(run(folder, "").exit_code == 2);
  CHECK(run(folder, "t2v 'a red ball'").error ==
        "error: a red ball: unknown argument\n"
        "hint: -p \"TEXT\" gives a prompt, in quotes; faststar t2v --help lists the options\n");
  CHECK(run(folder, "t2v -p x --nothing-like-it").error.find("did you mean") == std::string::npos);
  CHECK(run(folder, "--device cpu t2v -p x").error ==
        "error: --device: stands before the command\nhint: options follow the command: faststar t2v --device\n");
  CHECK(run(folder, "t2w").error.find("did you mean t2v?") != std::string::npos);
  CHECK(run(folder, "t2v -p").exit_code == 2);
  CHECK(run(folder, "t2v -p x --precision int8").error ==
        "error: --precision: expected one of fp32, bf16, fp8, got int8\n");
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

TEST_CASE("a run prints the finished file and nothing else on stdout", "[cli][slow]") {
  const test::TempDir folder;
  const Outcome outcome =
      run(folder, "t2v --random-weights --config tiny --duration 1 --seed 3 -p 'a red ball' --progress none");
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.out == "./a-red-ball-3.mp4\n");
  CHECK(std::filesystem::exists(folder / "a-red-ball-3.mp4"));
  const Outcome again =
      run(folder, "t2v --random-weights --config tiny --duration 1 --seed 3 -p x -o a-red-ball-3.mp4");
  CHECK(again.exit_code == 6);
  CHECK(again.error.find("already exists") != std::string::npos);
}

TEST_CASE("info prints the command that remakes a file, and it does", "[cli][slow]") {
  const test::TempDir folder;
  const std::string t2i =
      "t2i --random-weights --config tiny --seed 3 --prompt=\"-it's a ball\" -o a.png --progress none";
  REQUIRE(run(folder, t2i + " --save-codes a.safetensors").exit_code == 0);
  CHECK_THAT(run(folder, "info a.safetensors").out, ContainsSubstring("clip.0.summed_codes"));
  CHECK_THAT(run(folder, "info a.png").out, ContainsSubstring("\"seconds\":{\"load\":"));
  std::string command = run(folder, "info a.png --command").out;
  CHECK(run(folder, "info a.safetensors --command").out == command);
  REQUIRE(command.starts_with("faststar t2i"));
  command = command.substr(std::string("faststar ").size(), command.size() - std::string("faststar \n").size());
  REQUIRE(run(folder, command + " -o b.png --progress none").exit_code == 0);
  CHECK(test::same(read_image(folder / "a.png"), read_image(folder / "b.png")));
  CHECK(run(folder, "compare a.png b.png --side-by-side a.png --overwrite").exit_code == 2);
  CHECK(test::same(read_image(folder / "a.png"), read_image(folder / "b.png")));
}

TEST_CASE("info warns of recorded settings that the program no longer has", "[cli]") {
  const test::TempDir folder;
  const auto write = [&](const std::string& name, const std::string& reduction) {
    const Provenance made = {
        .version = "0.1.0", .command = "t2i", .settings_json = "{\"reduction\": " + reduction + "}", .run_json = ""};
    write_image(folder / name, test::plain(10, 20, 30), to_comment(made), Existing::refuse);
  };
  write("old.png", R"({"tie_break": "index", "faststar": {"p": "1", "eps": 0.01, "pu_boundary": "zero"}})");
  write("same.png", R"({"tie_break": "hash", "faststar": {"p": "1", "eps": 1e-08}})");
  const Outcome old = run(folder, "info old.png --command");
  CHECK(old.out == "faststar t2i --p-norm '1'\n");
  CHECK(old.error ==
        "warning: old.png: the command cannot remake this file exactly: the program no longer has "
        "reduction.tie_break = index (now always hash), reduction.faststar.eps = 0.01 (now always 1e-8)\n");
  CHECK(run(folder, "info same.png --command").error.empty());
}

TEST_CASE("verify exits 0, 1, 3 or 4", "[cli]") {
  const test::TempDir folder;
  std::filesystem::create_directory(folder / "set");
  CHECK(run(folder, "verify absent --device cpu").exit_code == 3);
  const std::string whole = test::read_text(test::golden_dir() / "guidance.safetensors");
  test::write_text(folder.path() / "set" / "guidance.safetensors", whole);
  CHECK(run(folder, "verify set --device cpu").exit_code == 0);
  std::string damaged = whole;
  damaged.replace(damaged.size() - 400, 4, std::string("\0\0\x80\x42", 4));  // one value becomes 64
  test::write_text(folder.path() / "set" / "guidance.safetensors", damaged);
  const Outcome failed = run(folder, "verify set --device cpu --json");
  CHECK(failed.exit_code == 1);
  CHECK(nlohmann::json::parse(failed.out).at("passed") == false);
  std::filesystem::copy_file(test::golden_dir() / "vae_io.safetensors", folder.path() / "set" / "vae_io.safetensors");
  CHECK(run(folder, "verify set --device cpu").exit_code == 4);  // its weights are not there
}

TEST_CASE("messages and results that cannot be delivered do not cost the picture", "[cli][slow]") {
  const test::TempDir folder;
  const std::string t2i = "t2i --random-weights --config tiny --seed 3 -p x --device cpu -o ";
  CHECK(run(folder, t2i + "a.png 2>&-").exit_code == 0);
  CHECK(run(folder, t2i + "b.png 2>/dev/full").exit_code == 0);
  CHECK(run(folder, t2i + "c.png >&- <&-").exit_code == 0);
  const Outcome full = run(folder, t2i + "d.png >/dev/full");
  CHECK(full.exit_code == 6);
  CHECK_THAT(full.error, ContainsSubstring("stdout: cannot write: No space left on device\n"));
  std::system(
      fmt::format("cd '{}' && '{}' {}e.png 2>&1 </dev/null | true", folder.path().string(), test::program(), t2i)
          .c_str());
  for (const char* name : {"a.png", "b.png", "c.png", "d.png", "e.png"}) CHECK(std::filesystem::exists(folder / name));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 5 + 2);  // out and err
}

TEST_CASE("what a foreign file says is checked before it is printed as a command", "[cli]") {
  const test::TempDir folder;
  const auto info_of = [&](const nlohmann::json& settings) {
    const Provenance made = {
        .version = "0.1.0\x1b[2J\nmodel: fake", .command = "t2v", .settings_json = settings.dump(), .run_json = ""};
    write_image(folder / "a.png", test::plain(10, 20, 30), to_comment(made), Existing::replace);
    return run(folder, "info a.png --command");
  };
  using Json = nlohmann::json;
  for (const Json& settings :
       {Json{{"model", {{"random_weights", "; touch X #"}}}}, Json{{"generate", {{"count", "1; touch X"}}}},
        Json{{"sampling", {{"seed", {{"a", "$(touch X)"}}}}}}}) {
    const Outcome refused = info_of(settings);
    CHECK(refused.exit_code == 3);
    CHECK(refused.out.empty());
    CHECK_THAT(refused.error, Catch::Matchers::StartsWith("error: a.png: setting "));
  }
  const Outcome quoted = info_of({{"prompt", {{"prompt", "'; touch X #\x1b"}}}});
  CHECK(quoted.out == "faststar t2v --prompt $'\\047; touch X #\\033'\n");
  const Outcome shown = run(folder, "info a.png");
  CHECK(shown.out.starts_with("made by faststar 0.1.0\\u001b[2J\\u000amodel: fake t2v\n"));
  const Provenance foreign = {.version = "0.1.0", .command = "t2v; id", .settings_json = "{}", .run_json = ""};
  write_image(folder / "a.png", test::plain(10, 20, 30), to_comment(foreign), Existing::replace);
  CHECK(run(folder, "info a.png").error == "error: a.png: made by a command that faststar does not have: t2v; id\n");
  const std::string hint = run(folder, "t2v -p x --dry-run --random-weights -o \"it's/x.mp4\"").error;
  CHECK_THAT(hint, ContainsSubstring("hint: mkdir -p 'it'\\''s'\n"));
}

TEST_CASE("decode opens no model folder that the codes name", "[cli]") {
  const test::TempDir folder;
  write_safetensors(
      folder / "c.safetensors", {{"clip.0.summed_codes", at::ones({1, 64, 1, 12, 21})}},
      {{"faststar", R"({"command": "t2v", "model": {"model": "/nowhere/it's", "preset": "../../etc/x"}})"}},
      Existing::refuse);
  const Outcome outcome = run(folder, "decode c.safetensors -o x.png --device cpu");
  CHECK(outcome.exit_code == 4);
  CHECK_THAT(outcome.error, ContainsSubstring("made with: --model '/nowhere/it'\\''s'\n"));
  CHECK_THAT(outcome.error, ContainsSubstring("the codes were made with another VAE"));
}

TEST_CASE("a current folder that was removed is said in one line", "[cli]") {
  const test::TempDir folder;
  const std::string command =
      fmt::format("mkdir '{0}/gone' && cd '{0}/gone' && rmdir '{0}/gone' && '{1}' t2i -p x --dry-run 2>'{0}/err'",
                  folder.path().string(), test::program());
  const int status = std::system(command.c_str());
  CHECK(WEXITSTATUS(status) == 2);
  CHECK(test::read_text(folder / "err") ==
        "error: the current folder does not exist any more\nhint: cd to another folder\n");
}

TEST_CASE("with --progress json all of stderr is JSON, errors too", "[cli]") {
  const test::TempDir folder;
  const auto lines_of = [](const std::string& text) {
    std::vector<nlohmann::json> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
  };
  const Outcome made = run(folder, "t2i -p 'a cat' --random-weights --seed 1 --progress json --json -o p.png");
  CHECK(made.exit_code == 0);
  const auto lines = lines_of(made.error);
  CHECK(std::ranges::any_of(lines, [](const auto& line) { return line.contains("fraction"); }));
  CHECK(std::ranges::any_of(lines, [](const auto& line) { return line.contains("message"); }));
  const auto result = nlohmann::json::parse(made.out);
  CHECK(result["outputs"][0]["seconds"]["tokens"].get<double>() > 0);
  CHECK(result["peak_memory_bytes"].get<int64_t>() > 1'000'000);
  const auto info = nlohmann::json::parse(run(folder, "info p.png --json").out);
  CHECK(info["command"] == "t2i");
  CHECK(info["settings"]["sampling"]["seed"] == 1);
  const auto remake = nlohmann::json::parse(run(folder, "info p.png --command --json").out);
  CHECK(remake["command"].get<std::string>().starts_with("faststar t2i "));
  const auto errors = lines_of(run(folder, "t2i --progress=json --sed 3").error);
  REQUIRE(errors.size() == 1);
  CHECK(errors[0]["level"] == "error");
  CHECK(errors[0]["message"] == "--sed: unknown option");
  CHECK_FALSE(errors[0]["hint"].get<std::string>().empty());
}

TEST_CASE("interact --json says of each file what t2v --json says", "[cli][slow]") {
  const test::TempDir folder;
  test::write_text(folder / "p.txt", "a red ball\r");
  const Outcome made = run(folder, "interact p.txt --random-weights --seed 1 --json -q --progress none -o story.mkv");
  CHECK(made.exit_code == 0);
  std::vector<nlohmann::json> lines;
  std::istringstream stream(made.out);
  for (std::string line; std::getline(stream, line);) lines.push_back(nlohmann::json::parse(line));
  REQUIRE(lines.size() == 2);
  CHECK(lines[0]["file"] == "story-000.mkv");
  CHECK(lines[1]["file"] == "story.mkv");
  for (const auto& line : lines) {
    CHECK(line["seed"] == 1);
    CHECK(line["width"] == 336);
    CHECK(line["frames"] == lines[0]["frames"]);
    CHECK(line["seconds"]["tokens"].get<double>() > 0);
    CHECK(line["settings"]["sampling"]["seed"] == 1);
    CHECK(line["peak_memory_bytes"].get<int64_t>() > 1'000'000);
  }
  CHECK(lines[0]["settings"]["prompt"]["prompt"] == "a red ball");
}

TEST_CASE("interact says why a list cannot be read", "[cli]") {
  const test::TempDir folder;
  CHECK_THAT(run(folder, "interact absent.txt").error,
             ContainsSubstring("error: absent.txt: cannot read: No such file or directory\n"));
  CHECK_THAT(run(folder, "interact .").error, ContainsSubstring("error: .: cannot read: Is a directory\n"));
}

TEST_CASE("an option without its value, or given twice, is named and takes no other option", "[cli]") {
  const test::TempDir folder;
  const auto error = [&](const std::string& command) {
    const Outcome outcome = run(folder, command);
    CHECK(outcome.exit_code == 2);
    return outcome.error.substr(0, outcome.error.find('\n'));
  };
  CHECK(error("i2v -p x --image= --dry-run") == "error: no input image");
  CHECK(error("t2v -p x --seed= --dry-run").starts_with("error: --seed: expected a whole number"));
  CHECK(error("t2v -p x --dry-run --seed") == "error: --seed: expected a value, got nothing");
  CHECK(error("t2v -p x --prompt y --dry-run") == "error: --prompt: given more than once");
  CHECK(run(folder, "info -- --seed=").error == "error: --seed=: no such file or folder\n");
  CHECK(error("study redaction") == "error: faststar study: expected one of reduction, got redaction");
  CHECK(error("compare a b --skip many") == "error: --skip: not a value that it takes: many");
}

TEST_CASE("a wrong value in the environment is an error that names the variable", "[cli]") {
  const test::TempDir folder;
  const auto error = [&](const std::string& command, const std::string& variable) {
    const Outcome outcome = run(folder, command, variable);
    CHECK(outcome.exit_code == 2);
    return outcome.error;
  };
  CHECK_THAT(error("heatmap t v -o h.png", "FASTSTAR_ROWS=0"), ContainsSubstring("FASTSTAR_ROWS 0: expected 1 to 32"));
  CHECK_THAT(error("heatmap t v -o h.png", "FASTSTAR_ROWS=many"), ContainsSubstring("FASTSTAR_ROWS"));
  CHECK_THAT(error("train --out r", "FASTSTAR_PHASE=sleep"), ContainsSubstring("FASTSTAR_PHASE"));
  CHECK_THAT(error("batch l.txt", "FASTSTAR_SAMPLES=0"), ContainsSubstring("FASTSTAR_SAMPLES"));
  const std::string t2v = "t2v -p x --dry-run --device cpu";
  CHECK_THAT(error(t2v, "FASTSTAR_OVERWRITE=maybe"), ContainsSubstring("FASTSTAR_OVERWRITE: "));
  CHECK_THAT(error(t2v, "FASTSTAR_CONFIG=absent"), ContainsSubstring("FASTSTAR_CONFIG: absent: no such file"));
  CHECK_THAT(error("t2v -p x --dry-run", "FASTSTAR_DEVICE=tpu"), ContainsSubstring("FASTSTAR_DEVICE tpu: "));
  CHECK_THAT(error(t2v + " --reduce faststar", "FASTSTAR_RATIOS=20"), ContainsSubstring("error: FASTSTAR_RATIOS: "));
  const Outcome weights = run(folder, "t2v -p x --dry-run", "FASTSTAR_WEIGHTS=absent");
  CHECK(weights.exit_code == 4);
  CHECK_THAT(weights.error, ContainsSubstring("absent"));
}

}  // namespace faststar
