#pragma once
#include <string>

namespace faststar {

/// "0.1.0 (1a2b3c4)": the version, and the commit that was built, where that was a git checkout.
std::string program_version();

}  // namespace faststar
