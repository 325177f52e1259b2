#include "core/base/version.h"

#include <string_view>

namespace faststar {

std::string program_version() {
  constexpr std::string_view kCommit = FASTSTAR_COMMIT;
  std::string version = FASTSTAR_VERSION;
  if (!kCommit.empty()) version.append(" (").append(kCommit).append(")");
  return version;
}

}  // namespace faststar
