#pragma once
#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "core/base/weights/weights.h"

namespace faststar {

/// Where the time of a loader went. The threads work at the same time.
struct LoadTimes {
  int threads = 0;
  int64_t bytes = 0;  ///< read from files
  double read = 0;    ///< seconds of all threads together: reading
  double wait = 0;    ///< waiting until a buffer is copied to the device
  double whole = 0;   ///< seconds from the first byte until the last one was read
};

/// Reads many tensors of a checkpoint at once: several threads read pieces in the order of the files, into the tensors
/// themselves on a CPU, and for a GPU into pinned buffers that are copied, and converted there, on a stream of its own.
/// On a GPU the constructor returns at once; on a CPU everything is there when it does.
class WeightLoader {
 public:
  /// Those of `wanted` that lie in files as they are wanted, but for their dtype; the others are left out. Those of
  /// `fused` layers become one tensor, under its name, when all of them are there and wanted in one dtype.
  /// Throws Error(model), on a GPU take() does.
  WeightLoader(const TensorSource& source, const TensorRequests& wanted, at::Device device,
               const std::vector<FusedLayers>& fused = {});
  ~WeightLoader();  ///< stops reading
  WeightLoader(const WeightLoader&) = delete;
  WeightLoader& operator=(const WeightLoader&) = delete;

  /// The tensor `name` as wanted; the current stream waits until it is there. Each is given away once; undefined for
  /// one that is not loaded here. Throws what reading threw: Error(model), or c10::Error when memory is short.
  Tensor take(const std::string& name, const TensorInfo& wanted);

  /// Waits until all is there. Throws as take(), and Error(model) naming the first tensor with NaN or infinite values.
  void check_finite();

  /// Tensors of two or more dimensions that hold nothing but zeros; after check_finite().
  std::vector<std::string> zero_matrices() const;

  /// Once all is there.
  LoadTimes times() const { return times_; }

 private:
  /// A tensor that is given away: of one item, or of several that lie one below the other.
  struct Target {
    at::ScalarType dtype = at::kFloat;
    int64_t elements = 0;
    Tensor values;  ///< flat; allocated with its first piece
    int64_t pieces_left = 0;
  };
  /// A tensor in a file.
  struct Item {
    std::string name;
    TensorInfo stored;
    TensorInfo wanted;
    FilePlace place;
    size_t target = 0;
    int64_t first = 0;  ///< of its elements in the target
  };
  struct Piece {
    size_t item = 0;
    int64_t begin = 0;  ///< in elements
    int64_t count = 0;
    int64_t slot = 0;  ///< of sums_
  };

  void collect(const TensorSource& source, const TensorRequests& wanted);
  void assign_targets(const std::vector<FusedLayers>& fused);
  void cut_into_pieces();
  void load_here();
  void start_threads();
  void read_pieces(const std::stop_token& stop);
  const Piece* next_piece();
  void finish_piece(const Piece& piece);
  void read_bytes(const Piece& piece, void* bytes) const;
  void put(const Piece& piece, const Tensor& elements);
  void add_sum(const Piece& piece);
  Tensor slice_of(const Piece& piece) const;
  void wait_for_copies() const;

  std::string origin_;
  at::Device device_;
  std::vector<Item> items_;
  std::vector<Target> targets_;
  std::map<std::string, size_t> targets_by_name_;
  std::vector<Piece> pieces_;
  Tensor sums_;                        ///< one a piece, float32: finite when all its elements are
  std::optional<c10::Stream> copies_;  ///< none on a CPU
  LoadTimes times_;

  std::mutex mutex_;
  std::condition_variable changed_;
  size_t next_ = 0;
  size_t finished_ = 0;
  std::exception_ptr error_;
  std::vector<std::jthread> threads_;  ///< last: they use all the others
};

}  // namespace faststar
