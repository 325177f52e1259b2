#include "core/lab/train/run_folder.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/base/weights/safetensors.h"
#include "core/lab/train/small_networks.h"
#include "core/lab/train/trainer.h"

namespace faststar {
namespace {

/// A state with numbers of its own everywhere.
NetworkState some_state(const ParameterLayout& layout) {
  NetworkState state{.optimizer = initial_state(test::seeded_randn({layout.size()}, 1)),
                     .phase = "vae_frames",
                     .steps_done = 12,
                     .seconds = 3.25};
  state.optimizer.average = test::seeded_randn({layout.size()}, 2);
  state.optimizer.first_moment = test::seeded_randn({layout.size()}, 3);
  state.optimizer.second_moment = test::seeded_randn({layout.size()}, 4).square();
  state.optimizer.updates = 12;
  return state;
}

/// Tensors of a vector, without the gaps that align them.
bool same_tensors(const ParameterLayout& layout, const Tensor& a, const Tensor& b) {
  const auto left = layout.split(a.detach()), right = layout.split(b.detach());
  return std::all_of(left.begin(), left.end(),
                     [&](const auto& named) { return test::same(named.second, right.at(named.first)); });
}

TEST_CASE("a full state is read back bit for bit", "[train]") {
  const test::TempDir folder;
  const ParameterLayout layout = vae_layout(test::kSmallVae);
  const NetworkState state = some_state(layout);
  CHECK_FALSE(has_network(folder.path(), "vae"));
  save_network(folder.path(), "vae", layout, state, StateForm::full);
  REQUIRE(has_network(folder.path(), "vae"));
  const NetworkState back = load_network(folder.path(), "vae", layout, at::kCPU);
  CHECK(back.phase == state.phase);
  CHECK(back.steps_done == 12);
  CHECK(back.optimizer.updates == 12);
  CHECK(back.seconds == 3.25);
  CHECK(back.optimizer.weights.requires_grad());
  CHECK(same_tensors(layout, back.optimizer.weights, state.optimizer.weights));
  CHECK(same_tensors(layout, back.optimizer.average, state.optimizer.average));
  CHECK(same_tensors(layout, back.optimizer.first_moment, state.optimizer.first_moment));
  CHECK(same_tensors(layout, back.optimizer.second_moment, state.optimizer.second_moment));
}

TEST_CASE("a state with fewer parts leaves none of a former one behind", "[train]") {
  const test::TempDir folder;
  const ParameterLayout layout = vae_layout(test::kSmallVae);
  save_network(folder.path(), "vae", layout, some_state(layout), StateForm::full);
  test::write_text(folder / "vae-1.safetensors", "a part of a former state");
  test::write_text(folder / "star-1.safetensors", "another network's");
  save_network(folder.path(), "vae", layout, some_state(layout), StateForm::full);
  CHECK_FALSE(std::filesystem::exists(folder / "vae-1.safetensors"));
  CHECK(std::filesystem::exists(folder / "star-1.safetensors"));
}

TEST_CASE("a pack keeps weights and average to bfloat16 and starts the moments anew", "[train]") {
  const test::TempDir folder;
  const ParameterLayout layout = vae_layout(test::kSmallVae);
  const NetworkState state = some_state(layout);
  save_network(folder.path(), "vae", layout, state, StateForm::portable);
  const NetworkState back = load_network(folder.path(), "vae", layout, at::kCPU);
  const auto rounded = [](const Tensor& vector) { return vector.detach().to(at::kBFloat16).to(at::kFloat); };
  CHECK(back.steps_done == 12);
  CHECK(back.optimizer.updates == 0);
  CHECK(same_tensors(layout, back.optimizer.weights, rounded(state.optimizer.weights)));
  CHECK(same_tensors(layout, back.optimizer.average, rounded(state.optimizer.average)));
  CHECK(back.optimizer.second_moment.abs().max().item<double>() == 0);
}

TEST_CASE("a pack of the embedded model is small files, 40 MiB in all", "[train]") {
  const test::TempDir folder;
  const VaeArchitecture vae{.block_out_channels = {16, 32, 64, 64, 64}};
  const ParameterLayout layout = vae_layout(vae);
  NetworkState state{.optimizer = initial_state(at::zeros({layout.size()}))};
  state.optimizer.updates = 1;
  save_network(folder.path(), "vae", layout, state, StateForm::portable);
  uintmax_t bytes = 0;
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    CHECK(entry.file_size() < (16u << 20));
    bytes += entry.file_size();
    ++files;
  }
  CHECK(files >= 1);
  CHECK(bytes < (22u << 20));  // the transformer's half is 27 MB; a VAE that is done keeps its average alone
  CHECK(load_network(folder.path(), "vae", layout, at::kCPU).steps_done == 0);
}

TEST_CASE("the next phase starts from the average", "[train]") {
  const ParameterLayout layout = vae_layout(test::kSmallVae);
  NetworkState state = some_state(layout);
  enter_phase(state, "done");
  CHECK(state.phase == "done");
  CHECK(state.steps_done == 0);
  CHECK(state.optimizer.updates == 0);
  CHECK(same_tensors(layout, state.optimizer.weights, state.optimizer.average));
}

TEST_CASE("parts of different steps are no state", "[train]") {
  const test::TempDir folder;
  const ParameterLayout layout = vae_layout(test::kSmallVae);
  const auto write = [&](int part, const char* steps_done) {
    write_safetensors(folder / fmt::format("vae-{}.safetensors", part), {{"average.x", at::zeros({1})}},
                      {{"parts", "2"}, {"steps_done", steps_done}}, Existing::replace);
  };
  write(0, "12");
  write(1, "11");
  const Error error = test::error_of([&] { load_network(folder.path(), "vae", layout, at::kCPU); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK(std::string(error.what()).find("vae-1.safetensors: of another step than") != std::string::npos);
}

TEST_CASE("a damaged state is refused", "[train]") {
  const test::TempDir folder;
  const ParameterLayout layout = vae_layout(test::kSmallVae);
  test::write_text(folder / "vae-0.safetensors", "no");
  CHECK(test::error_of([&] { load_network(folder.path(), "vae", layout, at::kCPU); }).kind() == ErrorKind::model);
}

}  // namespace
}  // namespace faststar
