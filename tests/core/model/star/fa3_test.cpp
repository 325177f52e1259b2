#include "core/model/star/fa3.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/frontend/function_schema_parser.h>

#include "support/process_state.h"
#include "support/support.h"

namespace faststar {
namespace {
namespace fs = std::filesystem;

TEST_CASE("arguments of FlashAttention-3 are found by name, the rest has the defaults of its version", "[attention]") {
  const auto schema = torch::jit::parseSchema(
      "fa3_fwd::fwd(Tensor k, Tensor q, Tensor? out=None, float? softmax_scale=None, int window_size_left=-1, "
      "bool is_causal=False) -> (Tensor, Tensor)");
  const Tensor q = at::ones({1}), k = at::zeros({1});
  const auto filled = fa3::fill_arguments(schema, {{"q", q}, {"k", k}, {"softmax_scale", 0.5}});
  REQUIRE(filled.size() == 6);
  CHECK(filled[0].toTensor().is_same(k));
  CHECK(filled[1].toTensor().is_same(q));
  CHECK(filled[2].isNone());
  CHECK(filled[3].toDouble() == 0.5);
  CHECK(filled[4].toInt() == -1);
  CHECK_FALSE(filled[5].toBool());
}

TEST_CASE("a version of FlashAttention-3 that asks for more, or knows less, is named", "[attention]") {
  const auto message = [](const char* text) {
    try {
      fa3::fill_arguments(torch::jit::parseSchema(text), {{"q", at::ones({1})}});
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(message("fa3_fwd::fwd(Tensor q, Tensor? mask) -> Tensor").empty());
  CHECK(message("fa3_fwd::fwd(Tensor q, int rows) -> Tensor") ==
        "fa3_fwd::fwd requires an argument rows, which is not known here");
  CHECK(message("fa3_fwd::fwd(Tensor query) -> Tensor") ==
        "fa3_fwd::fwd requires an argument query, which is not known here");
  CHECK(message("fa3_fwd::fwd(Tensor? query) -> Tensor") == "fa3_fwd::fwd has no argument q");
}

TEST_CASE("FASTSTAR_FA3 names the library, its folder or the folder of the package", "[attention]") {
  const test::TempDir folder;
  const fs::path library = folder / "site" / "fa3_fwd" / "_C.abi3.so";
  fs::create_directories(library.parent_path());
  test::write_text(library, "");
  for (const fs::path& given : {library, library.parent_path(), folder / "site"}) {
    const test::WithEnvironment variable("FASTSTAR_FA3", given.string());
    CHECK(fa3::find_library() == library);
  }
  const test::WithEnvironment variable("FASTSTAR_FA3", folder.path().string());
  const Error error = test::error_of([] { fa3::find_library(); });
  CHECK(error.kind() == ErrorKind::device);
  CHECK(test::says(error, "expected _C.abi3.so or a folder that holds it"));
}

TEST_CASE("FlashAttention-3 runs on Hopper alone", "[attention]") {
  CHECK(fa3::runs_on_capability(90));
  CHECK_FALSE(fa3::runs_on_capability(80));
  CHECK_FALSE(fa3::runs_on_capability(100));
}

}  // namespace
}  // namespace faststar
