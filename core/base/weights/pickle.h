#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace faststar {

/// Index of a value in its Pickle. Values may refer to each other in circles.
using PickleRef = uint32_t;

/// One object of a parsed pickle. Data only: classes and functions are names that are never called.
struct PickleValue {
  enum class Kind {
    opaque,   ///< None, bytes, a float or a number beyond 64 bits: not needed for tensors
    integer,  ///< also True and False
    text,
    sequence,  ///< tuple, list, set
    dict,
    global,      ///< a class or function: `text` is "module.name"
    object,      ///< the result of calling items[0] with items[1]; entries when it is dict-like
    persistent,  ///< a reference out of the pickle, to items[0]
  };
  Kind kind = Kind::opaque;
  int64_t integer = 0;
  std::string text{};
  std::vector<PickleRef> items{};
  std::vector<std::pair<PickleRef, PickleRef>> entries{};
};

/// The values of a parsed pickle; refs, 0 to values.size() - 1, are valid inside one Pickle only.
struct Pickle {
  std::vector<PickleValue> values;
  PickleRef root_ref = 0;

  const PickleValue& operator[](PickleRef ref) const { return values[ref]; }
  const PickleValue& root() const { return values[root_ref]; }
};

/// Parses Python's pickle format, protocols 0 to 5, as far as torch.save and its users write it. Nothing is imported or
/// called. Throws Error(model) naming `origin` and the byte when the stream is damaged, has an unsupported opcode, or
/// makes more values than any checkpoint has. `taken`, where given, gets the size of the pickle in bytes.
/// Source: Python's pickletools.
Pickle parse_pickle(std::string_view bytes, const std::string& origin, size_t* taken = nullptr);

}  // namespace faststar
