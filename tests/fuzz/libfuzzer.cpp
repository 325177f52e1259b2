// The same targets for libFuzzer: --target=NAME chooses one.
#include <ATen/Parallel.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "core/base/log.h"
#include "fuzz/target.h"

namespace {

const faststar::fuzz::Target* chosen = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr std::string_view kFlag = "--target=";
  faststar::log::set_sink([](faststar::log::Level, std::string_view) {});
  at::set_num_threads(1);
  for (int i = 1; i < *argc; ++i) {
    const std::string_view word = (*argv)[i];
    if (word.substr(0, kFlag.size()) == kFlag) chosen = &faststar::fuzz::find_target(word.substr(kFlag.size()));
  }
  if (chosen != nullptr) return 0;
  std::fprintf(stderr, "--target=NAME is missing\n");
  std::exit(1);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  faststar::fuzz::refusal(*chosen, {reinterpret_cast<const char*>(data), size});
  return 0;
}
