#include "core/config/model_folder.h"

#include "support/support.h"

namespace faststar {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::TempDir;

void touch(const fs::path& file) {
  fs::create_directories(file.parent_path());
  test::write_text(file, "");
}

void make_own_model(const fs::path& folder) {
  touch(folder / "transformer" / "model.safetensors.index.json");
  touch(folder / "vae.safetensors");
  touch(folder / "t5" / "model.safetensors");
  touch(folder / "t5" / "spiece.model");
  fs::copy_file(preset_file("tiny"), folder / "model.yaml");
}

void make_official_tree(const fs::path& folder, const std::vector<std::string>& weights) {
  for (const std::string& name : weights) touch(folder / name / "model.safetensors.index.json");
  touch(folder / "infinitystar_videovae.pth");
  touch(folder / "text_encoder" / "flan-t5-xl-official" / "pytorch_model.bin.index.json");
  touch(folder / "text_encoder" / "flan-t5-xl-official" / "spiece.model");
}

ModelRequest request_for(const fs::path& folder) { return {.folder = folder.string(), .folder_origin = "--model"}; }

}  // namespace

TEST_CASE("our own model folder is found with its preset", "[config]") {
  const TempDir folder;
  make_own_model(folder.path());
  const ModelFolder model = resolve_model(request_for(folder.path()));
  CHECK(model.layout.transformer == folder / "transformer");
  CHECK(model.layout.vae == folder / "vae.safetensors");
  CHECK(model.preset.name == "faststar tiny");
  CHECK_FALSE(model.random_weights);
}

TEST_CASE("the official release tree is accepted as it is", "[config]") {
  const TempDir folder;
  make_official_tree(folder.path(), {"infinitystar_8b_480p_weights"});
  const ModelFolder model = resolve_model(request_for(folder.path()));
  CHECK(model.layout.vae == folder / "infinitystar_videovae.pth");
  CHECK(model.layout.t5 == folder / "text_encoder/flan-t5-xl-official");
  CHECK(model.preset.name == "InfinityStar 8B 480p");
}

TEST_CASE("two models and no choice are listed, and can be chosen in two ways", "[config]") {
  const TempDir folder;
  make_official_tree(folder.path(), {"infinitystar_8b_480p_weights", "infinitystar_8b_720p_weights"});
  ModelRequest request = request_for(folder.path());
  const Error error = error_of([&] { resolve_model(request); });
  CHECK(error.kind() == ErrorKind::model);
  CHECK(std::string(error.what()).find("infinitystar_8b_720p_weights (720p.yaml)") != std::string::npos);
  CHECK(std::string(error.what()).find("infinitystar_8b_480p_weights (480p.yaml)") != std::string::npos);

  request.preset = preset_file("480p");
  CHECK(resolve_model(request).layout.transformer == folder / "infinitystar_8b_480p_weights");
  const ModelFolder named = resolve_model(request_for(folder / "infinitystar_8b_720p_weights/"));
  CHECK(named.preset.name == "InfinityStar 8B 720p");
  CHECK(fs::equivalent(named.layout.vae, folder / "infinitystar_videovae.pth"));
}

TEST_CASE("what chooses among several models names those that are there", "[config]") {
  const TempDir folder;
  make_official_tree(folder.path(), {"infinitystar_8b_720p_weights", "InfinityStarInteract_24K_iters"});
  ModelRequest request = request_for(folder.path());
  CHECK(error_of([&] { resolve_model(request); }).hint() == "--config 720p or --config 480p-interact");

  request.preset = preset_file("480p");
  const Error other = error_of([&] { resolve_model(request); });
  CHECK(std::string(other.what()).find("found 2 models, none for 480p.yaml: ") != std::string::npos);
  CHECK(other.hint() == "--config 720p or --config 480p-interact");

  fs::copy_file(preset_file("tiny"), folder / "model.yaml");
  CHECK(error_of([&] { resolve_model(request); }).hint() ==
        "--config '" + (folder / "model.yaml").string() + "' or --config 720p or --config 480p-interact");
}

TEST_CASE("an incomplete model says what is missing and what is there", "[config]") {
  const TempDir folder;
  make_own_model(folder.path());
  fs::remove(folder / "vae.safetensors");
  fs::remove(folder / "t5" / "spiece.model");
  const Error error = error_of([&] { resolve_model(request_for(folder.path())); });
  CHECK(error.kind() == ErrorKind::model);
  const std::string what = error.what();
  CHECK(what.find("missing vae (") < what.find("tokenizer ("));
  CHECK(what.find("found transformer (") != std::string::npos);
}

TEST_CASE("missing, foreign and doubtful folders are model errors", "[config]") {
  const TempDir folder;
  CHECK(error_of([&] { resolve_model(request_for(folder / "absent")); }).kind() == ErrorKind::model);
  CHECK(error_of([&] { resolve_model(request_for(folder.path())); }).kind() == ErrorKind::model);
  make_own_model(folder.path());
  touch(folder / "vae.pth");
  CHECK(std::string(error_of([&] { resolve_model(request_for(folder.path())); }).what()).find("two VAEs") !=
        std::string::npos);
  fs::remove(folder / "vae.pth");
  fs::remove(folder / "model.yaml");
  CHECK(std::string(error_of([&] { resolve_model(request_for(folder.path())); }).what()).find("no model.yaml") !=
        std::string::npos);
}

TEST_CASE("random weights need no weights in the folder", "[config]") {
  const TempDir folder;
  fs::copy_file(preset_file("tiny"), folder / "model.yaml");
  ModelRequest request = request_for(folder.path());
  CHECK(error_of([&] { resolve_model(request); }).kind() == ErrorKind::model);
  request.random_weights = true;
  CHECK(resolve_model(request).random_weights);
}

TEST_CASE("without a folder the embedded model runs", "[config]") {
  const ModelFolder model = resolve_model({});
  CHECK(model.embedded);
  CHECK_FALSE(model.random_weights);
}

}  // namespace faststar
