#include "core/lab/train/workers.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cstring>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "core/base/device.h"
#include "core/base/error.h"
#include "cuda/runtime.h"

namespace faststar {
namespace {

constexpr const char* kThisHost = "127.0.0.1";
/// Longer than a process works alone: loading, sampling, recording.
constexpr std::chrono::minutes kPatience{30};
/// The store refuses values of more than 8 MiB.
constexpr int64_t kPieceBytes = 4 << 20;

using Bytes = std::vector<uint8_t>;

/// Runs an operation of the store. When it fails, the process that holds the store is gone.
template <typename Operation>
auto reach(Operation&& operation) {
  try {
    return operation();
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    fail(ErrorKind::interrupted, fmt::format("train: lost the other processes: {}", what.substr(0, what.find('\n'))));
  }
}

c10d::TCPStoreOptions store_options(uint16_t port, bool is_server) {
  c10d::TCPStoreOptions options;
  options.port = port;
  options.isServer = is_server;
  options.waitWorkers = false;
  options.timeout = kPatience;
  return options;
}

/// Decisions and, for CPUs, gradients go through the store.
class StoreWorkers : public Workers {
 public:
  explicit StoreWorkers(const LaunchedProcess& process)
      : process_(process), store_(reach([&] {
          return c10::make_intrusive<c10d::TCPStore>(process.host, store_options(process.port, process.hosts_store));
        })) {}

  int rank() const override { return process_.rank; }
  int count() const override { return process_.count; }

  bool agree(bool decision) override {
    const std::string key = fmt::format("decision {}", decisions_++);
    if (process_.rank == 0) put(key, {static_cast<uint8_t>(decision)});
    return take(key).at(0) != 0;
  }

  void meet() override {
    put(fmt::format("here {} {}", meetings_, process_.rank), {0});
    for (int rank = 0; rank < process_.count; ++rank) take(fmt::format("here {} {}", meetings_, rank));
    ++meetings_;
  }

  void leave() override {
    put(fmt::format("left {}", process_.rank), {0});
    if (!process_.hosts_store) return;
    for (int rank = 0; rank < process_.count; ++rank) take(fmt::format("left {}", rank));
  }

  void expect_equal(const Tensor& weights) override {
    const auto checksum = weights.detach().view(at::kInt).sum(at::kLong).item<int64_t>();
    const std::string text = std::to_string(checksum);
    const std::string key = fmt::format("checksum {}", checksums_++);
    if (process_.rank == 0) put(key, {text.begin(), text.end()});
    const Bytes first = take(key);
    if (std::string(first.begin(), first.end()) == text) return;
    fail(ErrorKind::internal, "train: the weights of the processes differ");
  }

  void average(const Tensor& gradient) override {
    const Tensor own = gradient.to(at::kCPU).contiguous();
    for (int64_t piece = 0; piece * kPieceBytes < bytes_of(own); ++piece) {
      const auto* const begin = static_cast<const uint8_t*>(own.const_data_ptr()) + piece * kPieceBytes;
      put(key(rounds_, piece, process_.rank), {begin, begin + piece_bytes(own, piece)});
    }
    // In the order of ranks, so that rounding is the same everywhere.
    Tensor sum = at::zeros_like(gradient, at::kCPU);
    for (int rank = 0; rank < process_.count; ++rank) sum += received(gradient, rank);
    gradient.copy_(sum / process_.count);
    forget_round(rounds_ - 1, own);
    ++rounds_;
  }

 protected:
  void put(const std::string& key, const Bytes& value) {
    reach([&] { store_->set(own_name(key), value); });
  }
  Bytes take(const std::string& key) {
    return reach([&] { return store_->get(own_name(key)); });
  }

 private:
  /// A launcher's store has keys of its own, and those of attempts before.
  std::string own_name(const std::string& key) const { return fmt::format("faststar {} {}", process_.attempt, key); }
  static int64_t bytes_of(const Tensor& tensor) { return static_cast<int64_t>(tensor.nbytes()); }
  static int64_t piece_bytes(const Tensor& tensor, int64_t piece) {
    return std::min(kPieceBytes, bytes_of(tensor) - piece * kPieceBytes);
  }
  static std::string key(int64_t round, int64_t piece, int rank) {
    return fmt::format("gradient {} {} {}", round, piece, rank);
  }

  Tensor received(const Tensor& like, int rank) {
    Tensor other = at::empty_like(like, at::kCPU);
    auto* const bytes = static_cast<uint8_t*>(other.data_ptr());
    for (int64_t piece = 0; piece * kPieceBytes < bytes_of(other); ++piece) {
      const Bytes value = take(key(rounds_, piece, rank));
      std::memcpy(bytes + piece * kPieceBytes, value.data(), value.size());
    }
    return other;
  }

  /// All have read a round once they have written the next.
  void forget_round(int64_t round, const Tensor& like) {
    for (int64_t piece = 0; round >= 0 && piece * kPieceBytes < bytes_of(like); ++piece) {
      reach([&] { return store_->deleteKey(own_name(key(round, piece, process_.rank))); });
    }
  }

  LaunchedProcess process_;
  c10::intrusive_ptr<c10d::TCPStore> store_;
  int64_t decisions_ = 0;
  int64_t meetings_ = 0;
  int64_t checksums_ = 0;
  int64_t rounds_ = 0;
};

/// Gradients go from GPU to GPU.
class GpuWorkers final : public StoreWorkers {
 public:
  GpuWorkers(const LaunchedProcess& process, at::Device device) : StoreWorkers(process) {
    constexpr const char* kKey = "communicator";
    if (process.rank == 0) put(kKey, cuda::make_communicator_id());
    sum_ = cuda::join_communicator(take(kKey), process.rank, process.count, device.index());
  }

  void average(const Tensor& gradient) override {
    sum_(gradient);
    gradient.div_(count());
  }

 private:
  cuda::AllReduce sum_;
};

}  // namespace

struct WorkerStore::Server {
  c10d::TCPStore store{kThisHost, store_options(/*port=*/0, /*is_server=*/true)};  // any port that is free
};

WorkerStore::WorkerStore() {
  try {
    server_ = std::make_unique<Server>();
  } catch (const c10::Error& error) {
    fail(ErrorKind::internal, fmt::format("train: no free port on {}: {}", kThisHost, error.what_without_backtrace()));
  }
}

WorkerStore::~WorkerStore() = default;

uint16_t WorkerStore::port() const { return server_->store.getPort(); }

std::unique_ptr<Workers> join_workers(const LaunchedProcess& process, at::Device device) {
  if (process.count == 1) return std::make_unique<Workers>();
  if (process.host.empty()) {
    fail(ErrorKind::usage,
         "MASTER_ADDR: expected the host of rank 0, as the processes are on several hosts, got nothing",
         "set MASTER_ADDR and MASTER_PORT to the address of rank 0");
  }
  if (device.is_cuda()) return std::make_unique<GpuWorkers>(process, device);
  return std::make_unique<StoreWorkers>(process);
}

}  // namespace faststar
