#pragma once
#include <string>
#include <vector>

#include "core/lab/evaluate/attributes.h"
#include "core/lab/evaluate/held_out.h"
#include "core/lab/evaluate/listener.h"

namespace faststar {

/// A clip that the checker found wrong.
struct AttributeMiss {
  std::string prompt;
  std::string asked;  ///< the scene, in the checker's words
  std::string seen;
};

/// Shares of clips, 0..1, in which an attribute is right.
struct AttributeRates {
  int64_t clips = 0;
  double background = 0;
  double camera = 0;
  double count = 0;
  double colour = 0;
  double shape = 0;
  double motion = 0;
  double all = 0;
  double steady = 0;  ///< the number of objects never changes
  std::vector<AttributeMiss> misses;
};

/// Gathers scores of clips.
class AttributeTally {
 public:
  void add(const SeenScene& seen, const ClipRecord& asked, const std::string& prompt);
  AttributeRates rates() const;

 private:
  AttributeRates sums_;
};

/// "red ball left, black star spin on blue stripes": a scene in the checker's words.
std::string describe(const ClipRecord& record);
std::string describe(const SeenScene& scene);

/// How the checker does on rendered clips: with the records they were made from, and with those of the next clip,
/// which is what chance looks like.
struct CheckerValidation {
  AttributeRates truth;
  AttributeRates shuffled;
};
CheckerValidation validate_checker(const AttributeChecker& checker, const HeldOutClips& clips, int64_t count,
                                   ClipPart part, const EvaluationListener& listener = {});

}  // namespace faststar
