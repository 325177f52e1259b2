#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Every reader of files that strangers write, as a function of their bytes.
namespace faststar::fuzz {

struct Target {
  std::string name;
  /// Reads `bytes` as the program would read a file. May throw Error.
  std::function<void(std::string_view bytes)> read;
  /// Small valid inputs.
  std::function<std::vector<std::string>()> samples;
  /// Most memory that one input may take.
  int64_t mebibytes = 1024;
};

/// All targets; the names are unique.
const std::vector<Target>& targets();

/// The target `name`. Throws std::invalid_argument when there is none.
const Target& find_target(std::string_view name);

/// Why `target` refuses `bytes` as a fault of the file; nothing when it reads them. Throws std::logic_error when it ends
/// in any other way: what users would be told is a bug, or memory that a small file must not ask for.
std::optional<std::string> refusal(const Target& target, std::string_view bytes);

/// Writes `bytes` to the file `name` in a folder of this process, which is removed at its end.
std::filesystem::path scratch_file(const std::string& name, std::string_view bytes);
/// A name in that folder where no file is.
std::filesystem::path scratch_name(const std::string& name);
/// The bytes of a file.
std::string bytes_in(const std::filesystem::path& file);

/// Throws std::logic_error naming what does not hold.
void require(bool holds, const char* what);

// The targets of each part of the program.
std::vector<Target> weights_targets();
std::vector<Target> model_targets();
std::vector<Target> config_targets();
std::vector<Target> list_targets();
std::vector<Target> record_targets();
std::vector<Target> media_targets();

}  // namespace faststar::fuzz
