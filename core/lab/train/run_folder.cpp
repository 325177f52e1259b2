#include "core/lab/train/run_folder.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <charconv>
#include <map>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/weights/safetensors.h"
#include "core/lab/train/model_weights.h"
#include "core/lab/world/world.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kLargestPortableFile = 15 << 20;

/// The vectors of a state by the name that their tensors have in front in a file.
std::map<std::string, Tensor> vectors_of(const OptimizerState& state, StateForm form) {
  std::map<std::string, Tensor> vectors = {{"average.", state.average}};
  // Between phases the weights are the average.
  if (form == StateForm::full || state.updates > 0) vectors["weights."] = state.weights.detach();
  if (form == StateForm::full) {
    vectors["first_moment."] = state.first_moment;
    vectors["second_moment."] = state.second_moment;
  }
  return vectors;
}

NamedTensors tensors_of(const ParameterLayout& layout, const NetworkState& state, StateForm form) {
  NamedTensors tensors;
  for (const auto& [prefix, vector] : vectors_of(state.optimizer, form)) {
    for (const auto& [name, tensor] : layout.split(vector)) {
      tensors[prefix + name] = form == StateForm::full ? tensor : tensor.to(at::kBFloat16);
    }
  }
  return tensors;
}

fs::path part_file(const fs::path& folder, const std::string& name, int part) {
  return folder / fmt::format("{}-{}.safetensors", name, part);
}

/// Tensors in files of at most `largest` bytes, in order.
std::vector<NamedTensors> distribute(const NamedTensors& tensors, int64_t largest) {
  std::vector<NamedTensors> parts(1);
  int64_t bytes = 0;
  for (const auto& [name, tensor] : tensors) {
    const auto size = static_cast<int64_t>(tensor.nbytes());
    if (bytes + size > largest && !parts.back().empty()) {
      parts.emplace_back();
      bytes = 0;
    }
    parts.back()[name] = tensor;
    bytes += size;
  }
  return parts;
}

template <typename Number>
Number read_number(const std::map<std::string, std::string>& metadata, const std::string& key, const fs::path& file) {
  Number value{};
  const auto found = metadata.find(key);
  if (found != metadata.end()) {
    const std::string& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
  }
  fail(ErrorKind::input, fmt::format("{}: not a training state: no {} in its metadata", file.string(), key));
}

/// The tensors of all parts of a state, without their data.
struct StateFiles {
  std::vector<std::shared_ptr<const Safetensors>> parts;

  StateFiles(const fs::path& folder, const std::string& name) {
    const fs::path first = part_file(folder, name, 0);
    parts.push_back(open_safetensors(first));
    const auto count = read_number<int>(parts[0]->metadata(), "parts", first);
    for (int part = 1; part < count; ++part) {
      const fs::path file = part_file(folder, name, part);
      parts.push_back(open_safetensors(file));
      if (parts.back()->metadata() == parts[0]->metadata()) continue;
      fail(ErrorKind::input,
           fmt::format("{}: of another step than {}: saving was interrupted", file.string(), first.string()),
           "restore an older copy of these files");
    }
  }

  NamedTensors read(const std::string& prefix) const {
    NamedTensors tensors;
    for (const auto& part : parts) {
      for (const auto& [name, info] : part->tensors()) {
        if (name.starts_with(prefix)) tensors[name.substr(prefix.size())] = part->read(name, info, at::kCPU);
      }
    }
    return tensors;
  }
};

constexpr const char* kState = "state";
constexpr const char* kPack = "pack";

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

}  // namespace

void save_network(const fs::path& folder, const std::string& name, const ParameterLayout& layout,
                  const NetworkState& state, StateForm form) {
  const c10::NoGradGuard no_grad;
  fs::create_directories(folder);
  const auto parts =
      distribute(tensors_of(layout, state, form), form == StateForm::full ? INT64_MAX : kLargestPortableFile);
  const std::map<std::string, std::string> metadata = {{"stage", state.phase},
                                                       {"steps_done", std::to_string(state.steps_done)},
                                                       {"updates", std::to_string(state.optimizer.updates)},
                                                       {"seconds", fmt::format("{}", state.seconds)},
                                                       {"parts", std::to_string(parts.size())}};
  for (size_t i = 0; i < parts.size(); ++i) {
    write_safetensors(part_file(folder, name, static_cast<int>(i)), parts[i], metadata, Existing::replace);
  }
  // A former state may have had more parts.
  for (auto part = static_cast<int>(parts.size()); fs::remove(part_file(folder, name, part)); ++part) {
  }
}

bool has_network(const fs::path& folder, const std::string& name) {
  std::error_code ignored;
  return fs::is_regular_file(part_file(folder, name, 0), ignored);
}

NetworkState load_network(const fs::path& folder, const std::string& name, const ParameterLayout& layout,
                          at::Device device) {
  const StateFiles files(folder, name);
  const fs::path file = part_file(folder, name, 0);
  const auto& metadata = files.parts[0]->metadata();
  const auto join = [&](const char* prefix) { return layout.join(files.read(prefix), file.string(), device); };
  NetworkState state;
  const Tensor average = join("average.");
  state.optimizer = initial_state(files.read("weights.").empty() ? average : join("weights."));
  state.optimizer.average = average;
  if (!files.read("second_moment.").empty()) {
    state.optimizer.first_moment = join("first_moment.");
    state.optimizer.second_moment = join("second_moment.");
    state.optimizer.updates = read_number<int64_t>(metadata, "updates", file);
  }
  const auto phase = metadata.find("stage");
  if (phase != metadata.end()) state.phase = phase->second;
  state.steps_done = read_number<int64_t>(metadata, "steps_done", file);
  state.seconds = read_number<double>(metadata, "seconds", file);
  return state;
}

void enter_phase(NetworkState& state, const std::string& phase) {
  state.optimizer = initial_state(state.optimizer.average);
  state.phase = phase;
  state.steps_done = 0;
}

RunFolder::RunFolder(fs::path folder) : folder_(std::move(folder)) {
  for (const char* part : {kState, kPack, "samples", "vocabulary"}) {
    std::error_code error;
    fs::create_directories(folder_ / part, error);
    if (error) fail(ErrorKind::output, fmt::format("{}: {}", (folder_ / part).string(), error.message()));
  }
}

std::optional<NetworkState> RunFolder::load(const std::string& name, const ParameterLayout& layout,
                                            at::Device device) const {
  for (const char* form : {kState, kPack}) {
    if (!has_network(folder_ / form, name)) continue;
    NetworkState state = load_network(folder_ / form, name, layout, device);
    log::info("{}: {} is at {} step {}", (folder_ / form).string(), name, state.phase, state.steps_done);
    return state;
  }
  return std::nullopt;
}

void RunFolder::save(const std::string& name, const ParameterLayout& layout, const NetworkState& state) const {
  save_network(folder_ / kState, name, layout, state, StateForm::full);
  save_network(folder_ / kPack, name, layout, state, StateForm::portable);
}

void RunFolder::provide_vocabulary(const std::optional<fs::path>& given, const WorldSettings& world,
                                   int64_t pieces) const {
  if (!is_file(vocabulary())) {
    if (is_file(packed_vocabulary())) {
      copy_file(packed_vocabulary(), vocabulary(), Existing::replace);
    } else if (given) {
      copy_file(*given, vocabulary(), Existing::replace);
    } else {
      write_file(vocabulary(), train_world_vocabulary(world, static_cast<int>(pieces)), Existing::replace);
    }
  }
  if (!is_file(packed_vocabulary())) copy_file(vocabulary(), packed_vocabulary(), Existing::replace);
}

}  // namespace faststar
