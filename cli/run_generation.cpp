#include "core/error.h"
#include "core/pipeline.h"

namespace faststar {

std::vector<std::filesystem::path> run_generation(const GenerateJob&, Progress&) {
  fail(ErrorKind::internal, "this build plans runs but has no pipeline to run them", "--dry-run");
}

}  // namespace faststar
