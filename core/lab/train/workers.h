#pragma once
#include <cstdint>
#include <memory>

#include "core/base/tensor.h"

namespace faststar {

/// The processes that train together, one a GPU. Each draws its own clips; gradients are averaged, so that all make
/// the same update.
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
};

/// Where the processes of one run meet: a key-value store on this host, alive as long as this object.
class Rendezvous {
 public:
  /// Throws Error(internal) when the host gives no port.
  Rendezvous();
  ~Rendezvous();
  Rendezvous(const Rendezvous&) = delete;
  Rendezvous& operator=(const Rendezvous&) = delete;
  /// TCP, on the loopback interface.
  uint16_t port() const;

 private:
  struct Store;
  std::unique_ptr<Store> store_;
};

/// Which of the processes that meet at a rendezvous this one is.
struct WorkerPlace {
  int rank = 0;  ///< from 0
  int count = 1;
  uint16_t port = 0;
};

/// This process among those of a run on `device`: sums go through NCCL on GPUs and through the store on CPUs, which is
/// enough for small networks. Waits for the others on GPUs. A lost rendezvous is Error(interrupted): whoever holds it
/// knows why.
std::unique_ptr<Workers> join_workers(const WorkerPlace& place, at::Device device);

}  // namespace faststar
