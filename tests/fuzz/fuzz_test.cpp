// Each reader of foreign files over its samples and some hundred changed ones. Many more: tests/fuzz/README.md.
#include "fuzz/mutation.h"
#include "fuzz/target.h"
#include "support/support.h"

namespace faststar {
namespace {

constexpr int kMutations = 200;

TEST_CASE("every reader of foreign files takes its samples", "[fuzz]") {
  const test::CollectWarnings warnings;
  for (const fuzz::Target& target : fuzz::targets()) {
    CAPTURE(target.name);
    const auto samples = target.samples();
    CHECK_FALSE(samples.empty());
    for (const std::string& sample : samples) CHECK(fuzz::refusal(target, sample).value_or("") == "");
  }
}

TEST_CASE("every reader of foreign files reads or refuses changed ones", "[fuzz]") {
  const test::CollectWarnings warnings;
  for (const fuzz::Target& target : fuzz::targets()) {
    const auto samples = target.samples();
    CHECK_NOTHROW(fuzz::refusal(target, ""));
    for (int number = 0; number < kMutations; ++number) {
      CAPTURE(target.name, number);
      CHECK_NOTHROW(fuzz::refusal(target, fuzz::mutate(samples, 1, number)));
    }
  }
}

}  // namespace
}  // namespace faststar
