#include "core/config/installation.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/config/preset.h"
#include "core/config/yaml_document.h"

namespace faststar {
namespace fs = std::filesystem;

fs::path configs_dir() {
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  const fs::path installed = program.parent_path().parent_path() / "share" / "faststar" / "configs";
  const fs::path source = fs::path(FASTSTAR_SOURCE_DIR) / "configs";
  for (const fs::path& folder : {installed, source}) {
    if (fs::is_directory(folder, ignored)) return folder;
  }
  fail(ErrorKind::model, fmt::format("the installation is incomplete: {} is missing", installed.string()),
       "install faststar again with `cmake --install`");
}

fs::path embedded_model_dir() { return configs_dir() / "tiny"; }

fs::path preset_file(const std::string& name) {
  std::error_code ignored;
  for (const fs::path& file : {configs_dir() / (name + ".yaml"), configs_dir() / name / "model.yaml"}) {
    if (fs::is_regular_file(file, ignored)) return file;
  }
  return {};
}

fs::path file_or_preset(const std::string& name_or_file) {
  std::error_code ignored;
  return fs::is_regular_file(name_or_file, ignored) ? fs::path(name_or_file) : preset_file(name_or_file);
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(configs_dir())) {
    const std::string name = entry.path().stem().string();
    const fs::path file = preset_file(name);
    if (!file.empty() && is_preset(YamlDocument(file))) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace faststar
