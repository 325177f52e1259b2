#include "core/model/star/fa3.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>

#include <cmath>
#include <cstdlib>
#include <stdexcept>

#include "core/base/error.h"
#include "core/model/star/attention.h"

namespace faststar::fa3 {
namespace fs = std::filesystem;
namespace {

const char* const kPackage = "fa3_fwd";
const char* const kLibrary = "_C.abi3.so";
const char* const kOperator = "fa3_fwd::fwd";
const char* const kVariable = "FASTSTAR_FA3";

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// The folder of LibTorch's libraries.
fs::path torch_folder() {
  void* const torch = dlopen("libtorch_cpu.so", RTLD_LAZY | RTLD_NOLOAD);
  link_map* loaded = nullptr;
  if (!torch || dlinfo(torch, RTLD_DI_LINKMAP, &loaded) != 0) return {};
  std::error_code ignored;
  return fs::canonical(loaded->l_name, ignored).parent_path();
}

std::optional<fs::path> library_in_environment() {
  const char* const text = std::getenv(kVariable);
  if (!text || !*text) return std::nullopt;
  const fs::path given = text;
  for (const fs::path& file : {given, given / kLibrary, given / kPackage / kLibrary}) {
    if (is_file(file)) return file;
  }
  fail(ErrorKind::device, fmt::format("{}={}: expected {} or a folder that holds it", kVariable, text, kLibrary),
       fmt::format("unset {}, or ./scripts/setup.sh --with-fa3", kVariable));
}

/// What every call gives.
NamedArguments attention_arguments(const Tensor& q, const Tensor& k, const Tensor& v) {
  return {{"q", q}, {"k", k}, {"v", v}, {"softmax_scale", 1.0 / std::sqrt(static_cast<double>(q.size(-1)))}};
}

struct Library {
  std::optional<c10::OperatorHandle> forward;
  std::string problem;  ///< empty when `forward` can be called
};

/// Registers the library's operators. Returns what went wrong; empty: nothing.
std::string open_library(const fs::path& file) {
  // It asks for libtorch.so, an empty library that this program is not linked with (scripts/cmake/Torch.cmake).
  dlopen((torch_folder() / "libtorch.so").c_str(), RTLD_LAZY);
  // Lazy: one symbol of Python is missing, which only Python's import calls.
  if (dlopen(file.c_str(), RTLD_LAZY)) return "";
  return fmt::format("{} cannot be loaded: {}", file.string(), dlerror());
}

Library load() {
  try {
    const auto file = find_library();
    if (!file) return {{}, "FlashAttention-3 is not installed"};
    if (std::string problem = open_library(*file); !problem.empty()) return {{}, problem};
    const auto forward = c10::Dispatcher::singleton().findSchema({kOperator, ""});
    if (!forward) return {{}, fmt::format("{} has no operator {}", file->string(), kOperator)};
    const Tensor none;
    fill_arguments(forward->schema(), {{"q", none},
                                       {"k", none},
                                       {"v", none},
                                       {"softmax_scale", 1.0},
                                       {"q_descale", none},
                                       {"k_descale", none},
                                       {"v_descale", none}});
    return {forward, ""};
  } catch (const Error& error) {
    return {{}, error.what()};
  } catch (const std::runtime_error& error) {
    return {{}, fmt::format("this version of {} does not fit: {}", kPackage, error.what())};
  }
}

const Library& library() {
  static const Library loaded = load();
  return loaded;
}

Tensor call(const NamedArguments& arguments) {
  const Library& loaded = library();
  TORCH_CHECK(loaded.forward, loaded.problem);
  std::vector<c10::IValue> stack = fill_arguments(loaded.forward->schema(), arguments);
  loaded.forward->callBoxed(stack);
  return stack.front().toTensor();
}

}  // namespace

std::optional<fs::path> find_library() {
  if (auto given = library_in_environment()) return given;
  std::error_code ignored;
  const fs::path torch = torch_folder();
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  for (const fs::path& folder :
       {torch.parent_path().parent_path(), torch, program.parent_path().parent_path() / "lib"}) {
    if (const fs::path file = folder / kPackage / kLibrary; is_file(file)) return file;
  }
  return std::nullopt;
}

bool runs_on_capability(int capability) { return capability / 10 == 9; }

const std::string& why_not_loaded() { return library().problem; }

Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v) { return call(attention_arguments(q, k, v)); }

Tensor attend_fp8(const Tensor& q, const Tensor& k, const Tensor& v) {
  const int64_t groups = k.size(2);
  const QuantizedHeads queries = quantize_heads(q, groups), keys = quantize_heads(k, groups),
                       values = quantize_heads(v, groups);
  NamedArguments arguments = attention_arguments(queries.values, keys.values, values.values);
  arguments["q_descale"] = queries.descale;
  arguments["k_descale"] = keys.descale;
  arguments["v_descale"] = values.descale;
  return call(arguments);
}

std::vector<c10::IValue> fill_arguments(const c10::FunctionSchema& schema, const NamedArguments& given) {
  std::vector<c10::IValue> filled;
  for (const c10::Argument& argument : schema.arguments()) {
    if (const auto found = given.find(argument.name()); found != given.end()) {
      filled.push_back(found->second);
    } else if (argument.default_value()) {
      filled.push_back(*argument.default_value());
    } else if (argument.type()->kind() == c10::TypeKind::OptionalType) {
      filled.emplace_back();
    } else {
      throw std::runtime_error(
          fmt::format("{} requires an argument {}, which is not known here", schema.name(), argument.name()));
    }
  }
  for (const auto& [name, value] : given) {
    if (!schema.argumentIndexWithName(name)) {
      throw std::runtime_error(fmt::format("{} has no argument {}", schema.name(), name));
    }
  }
  return filled;
}

}  // namespace faststar::fa3
