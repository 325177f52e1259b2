#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/launcher.h"
#include "core/base/tensor.h"

namespace faststar {

/// Part of a range: numbers [begin, end).
struct Share {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t size() const { return end - begin; }
};
/// Part `index` of `total` things in `parts` parts, in order, that differ by one at most.
Share share_of(int64_t total, int64_t parts, int64_t index);

/// A tensor on its way to or from another process: contiguous, on the device of the group.
struct Message {
  int peer = 0;  ///< rank of the other process
  Tensor tensor;
};

/// Processes that make one thing together, one a GPU: the steps of a training, or one video. All of them call the same
/// functions in the same order. This class is a process alone, for which they are free.
class ProcessGroup {
 public:
  virtual ~ProcessGroup() = default;
  virtual int rank() const { return 0; }
  virtual int size() const { return 1; }
  /// The one that decides, writes and prints.
  bool is_first() const { return rank() == 0; }

  /// Sends and receives; what is received is written into its tensor, which has the sender's shape. Messages between
  /// two processes arrive in the order of their lists. Queued on the current stream of a GPU.
  virtual void exchange(const std::vector<Message>& /*sent*/, const std::vector<Message>& /*received*/) {}
  /// Replaces a float32 tensor by the mean over all processes, the same bits in each. Does not wait for a GPU.
  virtual void average(const Tensor& /*tensor*/) {}
  /// The tensor of the first process in all of them; the others' has its shape and dtype.
  Tensor broadcast(const Tensor& tensor);

  /// What the first process says, in every process.
  virtual std::string agree_text(const std::string& text) { return text; }
  bool agree(bool decision);
  int64_t agree(int64_t number);
  /// Waits until every process is here.
  virtual void meet() {}
  /// Throws Error(internal) in a process whose `weights` (float32) are not bit for bit those of the first one: they
  /// would drift apart unseen.
  void expect_equal(const Tensor& weights);
  /// To be called last: the process that holds the store waits until no other needs it.
  virtual void leave() {}
};

/// A key-value store on this host for processes that it starts itself, alive as long as this object.
class GroupStore {
 public:
  /// Throws Error(internal) when the host gives no port.
  GroupStore();
  ~GroupStore();
  GroupStore(const GroupStore&) = delete;
  GroupStore& operator=(const GroupStore&) = delete;
  /// TCP, on the loopback interface.
  uint16_t port() const;

 private:
  struct Server;
  std::unique_ptr<Server> server_;
};

/// Joins the processes of a run on `device`. They meet at a c10d::TCPStore; tensors go through NCCL on GPUs and through
/// the store on CPUs, which is enough for small networks. Waits for the others on GPUs. A process that stops answering
/// for kSilence ends all of them: each with an uncaught Error(internal) that names it, also while it waits for a GPU.
/// Throws Error(usage) when the address is not known, Error(interrupted) when the store is lost: whoever holds it
/// reports why.
std::unique_ptr<ProcessGroup> join_processes(const LaunchedProcess& process, at::Device device);

/// Seconds without a sign of life after which a process counts as lost. Time in which the others did not run either
/// does not count.
inline constexpr int kSilence = 15;

}  // namespace faststar
