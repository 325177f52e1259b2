#include "core/pipeline/batch/batch_items.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::error_of;
using test::TempDir;
using test::write_text;

PromptList read(const TempDir& folder, const std::string& name, const std::string& text) {
  write_text(folder / name, text);
  return read_prompt_list({.list = folder / name});
}

/// The message about a list, without the temporary folder's name.
std::string message(const TempDir& folder, const std::string& name, const std::string& text) {
  const Error error = error_of([&] { read(folder, name, text); });
  CHECK(error.kind() == ErrorKind::input);
  std::string what = error.what();
  const std::string prefix = folder.path().string() + "/";
  CHECK(what.starts_with(prefix));
  what.erase(0, prefix.size());
  return error.hint().empty() ? what : what + " | " + error.hint();
}

}  // namespace

TEST_CASE("a text list has a prompt a line, whatever editor wrote it", "[batch]") {
  const TempDir folder;
  const PromptList list = read(folder, "list.txt",
                               "\xef\xbb\xbf"
                               "a red ball\r\n\n  \nfa\xc3\xa7"
                               "ades, \"old\" \n");
  REQUIRE(list.entries.size() == 2);
  CHECK(list.benchmark == Benchmark::none);
  CHECK(list.entries[0].prompt == "a red ball");
  CHECK(list.entries[1].prompt ==
        "fa\xc3\xa7"
        "ades, \"old\" ");
  CHECK(list.entries[1].origin == (folder / "list.txt").string() + ":4");
  CHECK(message(folder, "empty.txt", "\n\n") == "empty.txt: expected one prompt per line, got an empty file");
  CHECK(error_of([&] { read_prompt_list({.list = folder / "absent.txt"}); }).kind() == ErrorKind::input);
  CHECK(error_of([&] { read_prompt_list({.list = folder / "list.csv"}); }).kind() == ErrorKind::usage);
}

TEST_CASE("a list in UTF-16 is read, without a mark it is refused", "[batch]") {
  using namespace std::string_literals;
  const TempDir folder;
  const PromptList list = read(folder, "list.txt", "\xff\xfe\x61\x00\r\x00\n\x00\xe9\x00"s);
  REQUIRE(list.entries.size() == 2);
  CHECK(list.entries[0].prompt == "a");
  CHECK(list.entries[1].prompt == "\xc3\xa9");
  CHECK(message(folder, "list.txt", "a\0 \0b\0"s) ==
        "list.txt: expected a list of prompts in UTF-8, got UTF-16, UTF-32 or no text at all | save it as UTF-8");
  CHECK(message(folder, "list.txt", "\xff\xfe\x61"s) == "list.txt: damaged UTF-16 | save it as UTF-8");
}

TEST_CASE("lines end as on any system, and joined files leave no marks in prompts", "[batch]") {
  const TempDir folder;
  const std::string text = GENERATE(as<std::string>{}, "a\rb\r", "a\r\nb\r\n",
                                    "\xef\xbb\xbf"
                                    "a\n\xef\xbb\xbf"
                                    "b");
  const PromptList list = read(folder, "list.txt", text);
  REQUIRE(list.entries.size() == 2);
  CHECK(list.entries[0].prompt == "a");
  CHECK(list.entries[1].prompt == "b");
}

TEST_CASE("damaged lines can be kept, to name all of them", "[batch]") {
  const TempDir folder;
  write_text(folder / "a.jsonl", "{\"prompt\": \"a\"}\n{\"prompt\": 3}\nx\n");
  const PromptList list = read_prompt_list({.list = folder / "a.jsonl", .keep_unreadable = true});
  REQUIRE(list.entries.size() == 3);
  CHECK(list.entries[0].problem.empty());
  CHECK(list.entries[1].problem == "prompt: expected a string, got 3");
  CHECK(list.entries[2].problem == "not valid JSON at character 1");
}

TEST_CASE("VBench's file for one dimension is known by its name", "[batch]") {
  const TempDir folder;
  const PromptList list = read(folder, "human_action.txt", "A person is riding a bike");
  CHECK(list.benchmark == Benchmark::vbench);
  CHECK(list.entries.at(0).dimensions == std::vector<std::string>{"human_action"});
}

TEST_CASE("a long list gives entry n its line n", "[batch]") {
  const TempDir folder;
  write_text(folder / "short.txt", "a ball\na box\n");
  write_text(folder / "long.txt", "a ball of red wool\na box of old wood");
  const PromptList list = read_prompt_list({.list = folder / "short.txt", .refined = folder / "long.txt"});
  CHECK(list.entries.at(1).prompt == "a box");
  CHECK(list.entries.at(1).refined == "a box of old wood");
  write_text(folder / "long.txt", "a ball of red wool\n");
  const Error error =
      error_of([&] { read_prompt_list({.list = folder / "short.txt", .refined = folder / "long.txt"}); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK(std::string(error.what()).ends_with("expected 2 lines, one per entry of the list, got 1"));
}

TEST_CASE("a VBench file gives prompts, dimensions and refined prompts", "[batch]") {
  const TempDir folder;
  const PromptList list = read(folder, "info.json", R"([
    {"prompt_en": "a bird and a cat", "dimension": ["multiple_objects"],
     "auxiliary_info": {"multiple_objects": {"object": "bird and cat"}}, "refined_prompt": "a blue bird\nand a cat"},
    {"prompt_en": "alley", "dimension": ["scene", "background_consistency"]}])");
  CHECK(list.benchmark == Benchmark::vbench);
  CHECK(list.entries.at(0).refined == "a blue bird\nand a cat");
  CHECK_FALSE(list.entries.at(1).refined);
  CHECK(list.entries.at(1).dimensions.size() == 2);
  CHECK(read(folder, "two.json", R"([{"prompt_en": "a", "dimension": ["Diversity"]}])").benchmark ==
        Benchmark::vbench2);
}

TEST_CASE("a VBench file with a mistake is refused with its place", "[batch]") {
  const TempDir folder;
  CHECK(message(folder, "a.json", "[\n{\"prompt_en\": }]") == "a.json:2: not valid JSON at character 15");
  CHECK(message(folder, "a.json", "{}")
            .starts_with("a.json: expected a VBench prompt list ([{\"prompt_en\": ...}]), got object"));
  CHECK(message(folder, "a.json", R"([{"prompt_en": "a", "dimension": ["scene"]}, 3])") ==
        "a.json: entry 2: expected an object, got number");
  CHECK(message(folder, "a.json", R"([{"dimension": ["scene"]}])") ==
        "a.json: entry 1: prompt_en: expected a string, got nothing");
  CHECK(message(folder, "a.json", R"([{"prompt_en": 4, "dimension": ["scene"]}])") ==
        "a.json: entry 1: prompt_en: expected a string, got number");
  CHECK(message(folder, "a.json", R"([{"prompt_en": "a", "dimension": "scene"}])") ==
        "a.json: entry 1: dimension: expected a list of names, got string");
  CHECK(message(folder, "a.json",
                R"([{"prompt_en": "a", "dimension": ["scene"]}, {"prompt_en": "b", "dimension": ["scen"]}])") ==
        "a.json: entry 2: dimension: expected one of VBench's 16, got scen");
}

TEST_CASE("an image list finds the crop that is nearest to the video's shape", "[batch]") {
  const TempDir folder;
  write_text(folder / "i2v.json", R"([
    {"prompt_en": "a pond", "dimension": ["i2v_background"], "image_type": "nature", "image_name": "a pond.jpg"},
    {"prompt_en": "a pond, camera pans left", "dimension": ["camera_motion"], "image_type": "nature"}])");
  const PromptList beside = read_prompt_list({.list = folder / "i2v.json"});
  CHECK(beside.benchmark == Benchmark::vbench_i2v);
  CHECK(beside.entries.at(0).options.at("image") == (folder / "data/crop/16-9/a pond.jpg").string());
  CHECK(beside.entries.at(1).options.at("image") == (folder / "data/crop/16-9/a pond.jpg").string());
  const auto image = [&](double aspect) {
    const PromptList list = read_prompt_list({.list = folder / "i2v.json", .images = folder.path(), .aspect = aspect});
    return list.entries.at(0).options.at("image");
  };
  CHECK(image(1) == (folder / "a pond.jpg").string());  // a folder without crops
  std::filesystem::create_directory(folder / "1-1");
  std::filesystem::create_directory(folder / "8-5");
  CHECK(image(1.1) == (folder / "1-1/a pond.jpg").string());
  CHECK(image(1.6) == (folder / "8-5/a pond.jpg").string());
}

TEST_CASE("a JSON line has its own settings, checked like flags", "[batch]") {
  const TempDir folder;
  const PromptList list =
      read(folder, "list.jsonl",
           "{\"prompt\": \"a ball\", \"guidance\": 3.5, \"duration\": \"2s\", \"aspect\": \"1:1\", \"seed\": 7}\n"
           "{\"prompt\": \"a box\", \"refined_prompt\": \"a big box\", \"image\": \"in/a.png\"}\n");
  const FieldTexts options = {{"aspect", "1:1"}, {"duration", "2s"}, {"guidance", "3.5"}, {"seed", "7"}};
  CHECK(list.entries.at(0).options == options);
  CHECK(list.entries.at(1).refined == "a big box");
  CHECK(list.entries.at(1).options.at("image") == (folder / "in/a.png").string());  // beside the list
  const PromptList reduced = read(folder, "reduced.jsonl",
                                  "{\"prompt\": \"a\", \"faststar_scorer\": \"spatial\", \"fastvar_layers\": [0, 4]}");
  const FieldTexts by_flag = {{"faststar_scorer", "spatial"}, {"fastvar_layers", "0,4"}};
  CHECK(reduced.entries.at(0).options == by_flag);  // as apply_entry looks them up
}

TEST_CASE("a JSON line with a mistake is refused with its place and the nearest key", "[batch]") {
  const TempDir folder;
  CHECK(message(folder, "a.jsonl", "{\"prompt\": \"a\"}\n{\"promt\": \"b\"}") ==
        "a.jsonl:2: promt: not a key of a batch entry | the nearest key is prompt");
  CHECK(message(folder, "a.jsonl", "{\"prompt\": \"a\", \"tie_break\": \"index\"}") ==
        "a.jsonl:1: tie_break: expected hash (this setting was removed), got index");
  CHECK(message(folder, "a.jsonl", "{\"prompt\": \"a\", \"scorer\": \"spatial\"}")
            .starts_with("a.jsonl:1: scorer: not a key of a batch entry"));  // its flag is --faststar-scorer
  CHECK(read(folder, "gone.jsonl", "{\"prompt\": \"a\", \"eps\": 1e-8}").entries.size() == 1);
  CHECK(message(folder, "a.jsonl", "{\"prompt\": \"a\", \"model\": \"x\"}")
            .starts_with("a.jsonl:1: model: not a key of a batch entry"));
  CHECK(message(folder, "a.jsonl", "{\"prompt\": \"a\", \"guidance\": \"much\"}") ==
        "a.jsonl:1: guidance: expected a number from 0 to 1000, got much");
  CHECK(message(folder, "a.jsonl", "{\"prompt\": 3}") == "a.jsonl:1: prompt: expected a string, got 3");
  CHECK(message(folder, "a.jsonl", "{\"guidance\": 3}") == "a.jsonl:1: prompt: expected a string, got nothing");
  CHECK(message(folder, "a.jsonl", "{\"prompt\": \"a\"}\n{\"prompt\": \"a\", \"prompt\": \"b\"}") ==
        "a.jsonl:2: the key prompt is there twice");
  CHECK(message(folder, "a.jsonl", "{\"prompt\": \"a\", \"image\": \"a.png\", \"video\": \"a.mp4\"}") ==
        "a.jsonl:1: image and video: expected one of them, got both");
  CHECK(message(folder, "a.json", R"([{"prompt_en": "a", "prompt_en": "b", "dimension": ["x"]}])") ==
        "a.json: the key prompt_en is there twice");
  CHECK(message(folder, "a.jsonl", "\na ball\n") == "a.jsonl:2: not valid JSON at character 1");
  CHECK(message(folder, "a.jsonl", "{\"prompt\": \"a\", }") == "a.jsonl:1: not valid JSON at character 17");
}

TEST_CASE("a list names images in its folder only", "[batch]") {
  const TempDir folder;
  for (const char* name : {"/etc/passwd", "../a.png", "a/b.png", ".."}) {
    CHECK(message(folder, "a.json",
                  fmt::format(R"([{{"prompt_en": "a", "dimension": ["x"], "image_name": "{}"}}])", name)) ==
          fmt::format("a.json: entry 1: image_name: expected a file name without a folder, got {}", name));
  }
}

TEST_CASE("numbers without an end and nesting without a floor are errors of their list", "[batch]") {
  const TempDir folder;
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  CHECK(message(folder, "a.json", R"([{"prompt_en": 1e400}])") == "a.json: not valid JSON: a number is too large");
  CHECK(message(folder, "a.json", "[" + deep + "]") == "a.json: JSON nested deeper than 16");
  const auto of_line = [&](const std::string& value) {
    return message(folder, "a.jsonl", fmt::format("{{\"prompt\": \"a\", \"guidance\": {}}}", value));
  };
  CHECK(of_line("1e400") == "a.jsonl:1: not valid JSON: a number is too large");
  CHECK(of_line(deep) == "a.jsonl:1: JSON nested deeper than 16");
  CHECK(of_line("{\"a\":" + deep + "}") == "a.jsonl:1: JSON nested deeper than 16");
}

TEST_CASE("a message shows the beginning of a long value or key", "[batch]") {
  const TempDir folder;
  const std::string value(3'000'000, 'x');
  CHECK(message(folder, "a.jsonl", "{\"prompt\": \"a\", \"guidance\": \"" + value + "\"}").size() < 200);
  CHECK(message(folder, "a.jsonl", "{\"prompt\": \"a\", \"" + value + "\": 1}").size() < 200);
}

}  // namespace faststar
