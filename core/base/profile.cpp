#include "core/base/profile.h"

#include <algorithm>

namespace faststar {
namespace {

/// What profilers show, in the order of PassPart.
constexpr std::array<const char*, kPassPartNames.size()> kRangeNames = {"faststar::linear",    "faststar::attention",
                                                                        "faststar::reduction", "faststar::sampling",
                                                                        "faststar::rest",      "faststar::exchange"};

}  // namespace

ProfileRange::ProfileRange(PassPart part) {
  auto callbacks = at::getStepCallbacksUnlessEmpty(at::RecordScope::USER_SCOPE);
  if (!callbacks) return;
  record_.emplace(std::move(*callbacks));
  record_->before(kRangeNames[static_cast<size_t>(part)]);
}

std::optional<PassPart> part_of(const at::RecordFunction& range) {
  const auto found = std::ranges::find(kRangeNames, std::string_view(range.name()));
  if (found == kRangeNames.end()) return std::nullopt;
  return static_cast<PassPart>(found - kRangeNames.begin());
}

}  // namespace faststar
