#pragma once
#include <memory>

#include "core/base/launcher.h"
#include "core/base/tensor.h"

namespace faststar {

/// The processes that train together, one a GPU. Each draws its own clips; gradients are averaged, so that all make
/// the same update. This class is a process alone.
class Workers {
 public:
  virtual ~Workers() = default;
  virtual int rank() const { return 0; }
  virtual int count() const { return 1; }
  /// Replaces `gradient` (float32) by the mean over all processes, the same bits in each. Does not wait for a GPU.
  virtual void average(const Tensor& gradient) { (void)gradient; }
  /// What the first process decides, in every process.
  virtual bool agree(bool decision) { return decision; }
  /// Waits until every process is here.
  virtual void meet() {}
  /// Throws Error(internal) in a process whose `weights` (float32) are not bit for bit those of the first one: they
  /// would drift apart unseen.
  virtual void expect_equal(const Tensor& weights) { (void)weights; }
  /// To be called last: the process that holds the store waits until no other needs it.
  virtual void leave() {}
};

/// A key-value store on this host for processes that it starts itself, alive as long as this object.
class WorkerStore {
 public:
  /// Throws Error(internal) when the host gives no port.
  WorkerStore();
  ~WorkerStore();
  WorkerStore(const WorkerStore&) = delete;
  WorkerStore& operator=(const WorkerStore&) = delete;
  /// TCP, on the loopback interface.
  uint16_t port() const;

 private:
  struct Server;
  std::unique_ptr<Server> server_;
};

/// Joins the processes of a run on `device`: they meet at a c10d::TCPStore; sums go through NCCL on GPUs and through
/// the store on CPUs, which is enough for small networks. Waits for the others on GPUs. Throws Error(usage) when the
/// address is not known, Error(interrupted) when the store is lost: whoever holds it reports why.
std::unique_ptr<Workers> join_workers(const LaunchedProcess& process, at::Device device);

}  // namespace faststar
