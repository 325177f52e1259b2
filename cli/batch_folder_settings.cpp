#include "cli/batch_folder_settings.h"

#include <filesystem>

#include "core/base/lock_file.h"
#include "core/pipeline/batch/batch_settings.h"

namespace faststar {
namespace {

int64_t base_seed(const BatchFolder& folder) {
  const auto before = read_batch_settings(folder.config());
  if (before && before->sampling.seed) return *before->sampling.seed;
  return random_seed(1);
}

}  // namespace

void settle_batch_settings(const BatchFolder& folder, const ModelSetup& setup, ResolvedSettings& resolved) {
  Config& config = resolved.settings.config;
  if (!config.sampling.seed) config.sampling.seed = base_seed(folder);
  if (config.model.model) config.model.model = std::filesystem::absolute(*config.model.model).string();
  config.runtime.precision = setup.precision;
  config.prompt.prompt.reset();
  config.prompt.prompt_file.reset();
  config.output.output.reset();
  config.output.overwrite = false;
  config.output.frames_dir.reset();
  config.output.save_codes.reset();
  config.output.preview.reset();
}

void compare_with_folder(const BatchFolder& folder, const ResolvedSettings& resolved) {
  if (const auto before = read_batch_settings(folder.config())) {
    check_same_settings(folder.config(), *before, resolved.settings.config);
  }
}

void agree_with_folder(const BatchFolder& folder, const ResolvedSettings& resolved) {
  LockFile locks(folder.locks());
  const auto held = locks.lock("config.yaml");
  compare_with_folder(folder, resolved);
  if (!read_batch_settings(folder.config())) {
    write_batch_settings(folder.config(), resolved.settings.config, resolved.base);
  }
}

}  // namespace faststar
