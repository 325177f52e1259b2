#pragma once
#include <string>
#include <vector>

#include "core/lab/evaluate/checker.h"

namespace faststar {

/// Which attributes of a clip are right.
struct AttributeScore {
  bool background = false;  ///< colour and pattern
  bool camera = false;
  bool count = false;
  bool colour = false;  ///< of every object; so are shape and motion
  bool shape = false;
  bool motion = false;
  bool steady = false;  ///< the count never changes; not part of all()
  bool all() const { return background && camera && count && colour && shape && motion; }
};

/// Compares a seen scene with the requested one. With one object requested and several seen, an attribute is right if
/// any of them has it; with two requested and another number seen, no object attribute is right.
AttributeScore score_attributes(const SeenScene& seen, const ClipRecord& asked);

/// A clip with a wrong attribute.
struct AttributeMiss {
  std::string prompt;
  std::string asked;  ///< the scene as describe() writes it
  std::string seen;
};

/// Fractions of clips in which an attribute is right.
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

/// Accumulates scores of clips.
class AttributeTally {
 public:
  void add(const SeenScene& seen, const ClipRecord& asked, const std::string& prompt);
  AttributeRates rates() const;

 private:
  AttributeRates sums_;
};

/// A scene in words: "red ball left, black star spin on blue stripes".
std::string describe(const ClipRecord& record);
std::string describe(const SeenScene& scene);

}  // namespace faststar
