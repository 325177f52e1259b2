#include "core/lab/train/run_folder.h"

#include <fmt/format.h>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/lab/world/vocabulary.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

constexpr const char* kState = "state";
constexpr const char* kPack = "pack";

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

}  // namespace

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
    log::info("{}: {} is at {} step {}", (folder_ / form).string(), name, state.stage, state.steps_done);
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
