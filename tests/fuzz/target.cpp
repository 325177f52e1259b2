#include "fuzz/target.h"

#include <stdexcept>

#include "core/base/error.h"
#include "support/support.h"

namespace faststar::fuzz {
namespace {

const std::filesystem::path& scratch_folder() {
  static const test::TempDir folder;
  return folder.path();
}

std::vector<Target> collect() {
  std::vector<Target> all;
  for (const auto part :
       {weights_targets, model_targets, config_targets, list_targets, record_targets, media_targets}) {
    for (Target& target : part()) all.push_back(std::move(target));
  }
  return all;
}

bool is_fault_of_the_file(ErrorKind kind) {
  return kind == ErrorKind::usage || kind == ErrorKind::input || kind == ErrorKind::model || kind == ErrorKind::output;
}

}  // namespace

const std::vector<Target>& targets() {
  static const std::vector<Target> all = collect();
  return all;
}

const Target& find_target(std::string_view name) {
  for (const Target& target : targets()) {
    if (target.name == name) return target;
  }
  throw std::invalid_argument("no fuzzing target " + std::string(name));
}

std::optional<std::string> refusal(const Target& target, std::string_view bytes) {
  try {
    target.read(bytes);
    return std::nullopt;
  } catch (const std::exception& thrown) {
    const Error error = current_error();
    if (is_fault_of_the_file(error.kind())) return error.what();
    throw std::logic_error(target.name + ": " + thrown.what());
  }
}

std::filesystem::path scratch_file(const std::string& name, std::string_view bytes) {
  const auto path = scratch_folder() / name;
  std::filesystem::create_directories(path.parent_path());
  test::write_text(path, std::string(bytes));
  return path;
}

std::filesystem::path scratch_name(const std::string& name) {
  const auto path = scratch_folder() / name;
  std::filesystem::remove_all(path);
  return path;
}

std::string bytes_in(const std::filesystem::path& file) { return test::read_text(file); }

void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

}  // namespace faststar::fuzz
