#pragma once
#include <optional>
#include <vector>

#include "core/lab/evaluate/blobs.h"
#include "core/lab/world/scene.h"

namespace faststar {

/// Names the shape of a blob, however large it is and however it is turned: by how far its pixels lie from the
/// centre, and by how its outline waves around it. Compares with every shape of the world as the renderer draws it.
class OutlineReader {
 public:
  OutlineReader();

  /// The shape that most of `blobs`, one object over time, look like. None when all are too small to tell.
  std::optional<Shape> operator()(const std::vector<Blob>& blobs) const;

 private:
  struct Reference {
    Shape shape;
    std::vector<double> features;
  };
  std::vector<Reference> references_;
};

}  // namespace faststar
