// Runs every case; a warning that no test collects fails the run, and cases that this machine cannot
// run (no GPU) are named at the end.
#define CATCH_CONFIG_RUNNER
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "core/base/device.h"
#include "core/base/log.h"
#include "core/lab/study/frame_strip.h"
#include "core/model/star/attention.h"
#include "support/support.h"

namespace faststar::test {
namespace {

std::mutex mutex;
int collectors = 0;
std::vector<std::string> collected;
std::vector<std::string> unexpected;

void keep_warning(log::Level level, std::string_view line) {
  if (level != log::Level::warning) return;
  const std::lock_guard lock(mutex);
  (collectors > 0 ? collected : unexpected).emplace_back(line);
}

}  // namespace

CollectWarnings::CollectWarnings() {
  const std::lock_guard lock(mutex);
  ++collectors;
  collected.clear();
}

CollectWarnings::~CollectWarnings() {
  const std::lock_guard lock(mutex);
  --collectors;
}

const std::vector<std::string>& CollectWarnings::lines() const { return collected; }

bool CollectWarnings::has(const std::string& text) const {
  for (const auto& line : collected) {
    if (line.find(text) != std::string::npos) return true;
  }
  return false;
}

}  // namespace faststar::test

int main(int argc, char** argv) {
  using namespace faststar;
  log::set_sink(test::keep_warning);
  setenv("XDG_CACHE_HOME", "/dev/null", 1);  // what was measured on this machine decides no test
  set_up_backends();                         // as every command does
  {
    const test::CollectWarnings of_small_ffmpeg;
    can_keep_frames();  // warns once in a process: no test has to expect that
  }
  const int failed = Catch::Session().run(argc, argv);
  for (const auto& line : test::unexpected) std::fprintf(stderr, "unexpected warning: %s\n", line.c_str());
  if (test::test_devices().size() == 1)
    std::fprintf(stderr, "cuda: no device, the GPU half of every device test was not run\n");
  else if (const auto missing = attention_obstacle(AttentionBackend::fa3, at::Device(at::kCUDA, 0), at::kBFloat16))
    std::fprintf(stderr, "fa3: %s, its tests were not run\n", missing->message.c_str());
  return failed != 0 ? failed : (test::unexpected.empty() ? 0 : 1);
}
