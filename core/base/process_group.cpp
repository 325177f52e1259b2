#include "core/base/process_group.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "core/base/device.h"
#include "core/base/error.h"
#include "core/base/profile.h"
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
    fail(ErrorKind::interrupted, fmt::format("lost the other processes: {}", what.substr(0, what.find('\n'))));
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

/// A process's connection to the store of its run. One thread at a time.
class StoreClient {
 public:
  StoreClient(const LaunchedProcess& process, bool hosts)
      : attempt_(process.attempt), store_(reach([&] {
          return c10::make_intrusive<c10d::TCPStore>(process.host, store_options(process.port, hosts));
        })) {}

  void put(const std::string& key, const Bytes& value) {
    reach([&] { store_->set(own_name(key), value); });
  }
  /// Waits for the key.
  Bytes take(const std::string& key) {
    return reach([&] { return store_->get(own_name(key)); });
  }
  void forget(const std::string& key) {
    reach([&] { return store_->deleteKey(own_name(key)); });
  }
  /// Adds to a number that begins at 0; returns the sum.
  int64_t add(const std::string& key, int64_t more) {
    return reach([&] { return store_->add(own_name(key), more); });
  }

 private:
  /// A launcher's store has keys of its own, and those of attempts before.
  std::string own_name(const std::string& key) const { return fmt::format("faststar {} {}", attempt_, key); }

  std::string attempt_;
  c10::intrusive_ptr<c10d::TCPStore> store_;
};

/// Tells the other processes that this one lives, and ends it when another one does not: a stopped process closes no
/// connection, and whoever waits for a GPU hears nothing else.
class Heartbeat {
 public:
  explicit Heartbeat(const LaunchedProcess& process)
      : process_(process), others_(static_cast<size_t>(process.count)), store_(process, /*hosts=*/false) {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  /// This process needs no other one from now on, and none needs it.
  void leave() {
    thread_.request_stop();
    thread_.join();
    store_.add(key(process_.rank), kLeft);
  }

 private:
  struct Other {
    int64_t beats = -1;
    int silent = 0;  ///< rounds since it was heard
  };
  static constexpr int64_t kLeft = int64_t{1} << 40;

  static std::string key(int rank) { return fmt::format("beats {}", rank); }

  void run(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    const auto rest = [&](int seconds) {
      return wake.wait_for(lock, stop, std::chrono::seconds(seconds), [] { return false; });
    };
    try {
      while (!stop.stop_requested()) {
        listen();
        rest(1);
      }
    } catch (const Error& error) {
      // Who works in the main thread finds a lost store too, and can clean up. It cannot while it waits for a GPU.
      constexpr int kTimeToEnd = 5;
      if (error.kind() == ErrorKind::interrupted) rest(kTimeToEnd);
      if (!stop.stop_requested()) throw;
    }
  }

  /// Rounds are counted, not time: while this process does not run, nothing is said of the others.
  void listen() {
    store_.add(key(process_.rank), 1);
    for (int rank = 0; rank < process_.count; ++rank) {
      const int64_t beats = store_.add(key(rank), 0);
      Other& other = others_[static_cast<size_t>(rank)];
      const bool is_expected = beats > 0 && beats < kLeft;  // it has joined, and not left
      other.silent = is_expected && beats == other.beats ? other.silent + 1 : 0;
      other.beats = beats;
      if (other.silent < kSilence) continue;
      fail(ErrorKind::internal, fmt::format("process {} of {} does not answer", rank + 1, process_.count),
           "it was stopped, or its host is down");
    }
  }

  LaunchedProcess process_;
  std::vector<Other> others_;
  StoreClient store_;
  std::jthread thread_;
};

uint8_t* bytes_of(const Tensor& tensor) { return static_cast<uint8_t*>(tensor.mutable_data_ptr()); }

/// Calls visit(number, begin, bytes) for the pieces of a tensor that fit into the store.
template <typename Visit>
void for_each_piece(const Tensor& tensor, Visit&& visit) {
  const auto total = static_cast<int64_t>(tensor.nbytes());
  for (int64_t begin = 0; begin < total; begin += kPieceBytes) {
    visit(begin / kPieceBytes, bytes_of(tensor) + begin, std::min(kPieceBytes, total - begin));
  }
}

/// Everything goes through the store.
class StoreGroup : public ProcessGroup {
 public:
  explicit StoreGroup(const LaunchedProcess& process)
      : process_(process),
        store_(process, process.hosts_store),
        heartbeat_(process),
        sent_(static_cast<size_t>(process.count)),
        received_(static_cast<size_t>(process.count)) {}

  int rank() const override { return process_.rank; }
  int size() const override { return process_.count; }

  std::string agree_text(const std::string& text) override {
    const std::string key = fmt::format("decision {}", decisions_++);
    if (is_first()) store_.put(key, {text.begin(), text.end()});
    const Bytes first = store_.take(key);
    return {first.begin(), first.end()};
  }

  void meet() override {
    store_.put(fmt::format("here {} {}", meetings_, rank()), {0});
    for (int rank = 0; rank < size(); ++rank) store_.take(fmt::format("here {} {}", meetings_, rank));
    ++meetings_;
  }

  void leave() override {
    store_.put(fmt::format("left {}", rank()), {0});
    for (int rank = 0; process_.hosts_store && rank < size(); ++rank) store_.take(fmt::format("left {}", rank));
    heartbeat_.leave();
  }

  void exchange(const std::vector<Message>& sent, const std::vector<Message>& received) override {
    for (const auto& [peer, tensor] : sent) {
      const int64_t number = sent_[static_cast<size_t>(peer)]++;
      for_each_piece(tensor, [&](int64_t piece, const uint8_t* begin, int64_t bytes) {
        store_.put(key(rank(), peer, number, piece), {begin, begin + bytes});
      });
    }
    for (const auto& [peer, tensor] : received) {
      const int64_t number = received_[static_cast<size_t>(peer)]++;
      for_each_piece(tensor, [&](int64_t piece, uint8_t* begin, int64_t bytes) {
        const std::string name = key(peer, rank(), number, piece);
        const Bytes value = store_.take(name);
        TORCH_CHECK(static_cast<int64_t>(value.size()) == bytes, "process ", rank(), " expected ", bytes,
                    " bytes from ", peer, ", got ", value.size());
        std::memcpy(begin, value.data(), value.size());
        store_.forget(name);
      });
    }
  }

  void average(const Tensor& tensor) override {
    const Tensor own = tensor.to(at::kCPU).contiguous();
    std::vector<Message> sent, received;
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == rank()) continue;
      sent.push_back({peer, own});
      received.push_back({peer, at::empty_like(own)});
    }
    exchange(sent, received);
    // In the order of ranks, so that rounding is the same everywhere.
    received.insert(received.begin() + rank(), {rank(), own});
    Tensor sum = at::zeros_like(own);
    for (const Message& message : received) sum += message.tensor;
    tensor.copy_(sum / size());
  }

 protected:
  StoreClient& store() { return store_; }

 private:
  static std::string key(int from, int to, int64_t number, int64_t piece) {
    return fmt::format("message {} {} {} {}", from, to, number, piece);
  }

  LaunchedProcess process_;
  StoreClient store_;
  Heartbeat heartbeat_;
  std::vector<int64_t> sent_, received_;  ///< messages so far, by peer
  int64_t decisions_ = 0;
  int64_t meetings_ = 0;
};

/// Tensors go from GPU to GPU.
class GpuGroup final : public StoreGroup {
 public:
  GpuGroup(const LaunchedProcess& process, at::Device device) : StoreGroup(process) {
    constexpr const char* kKey = "communicator";
    if (is_first()) store().put(kKey, cuda::make_communicator_id());
    gpus_ = cuda::join_communicator(store().take(kKey), process.rank, process.count, device.index());
  }

  void exchange(const std::vector<Message>& sent, const std::vector<Message>& received) override {
    const auto transfers = [](const std::vector<Message>& messages) {
      std::vector<cuda::Transfer> made;
      for (const Message& message : messages) made.push_back({message.peer, &message.tensor});
      return made;
    };
    gpus_->exchange(transfers(sent), transfers(received));
  }

  void average(const Tensor& tensor) override {
    gpus_->sum(tensor);
    tensor.div_(size());
  }

 private:
  std::unique_ptr<cuda::Communicator> gpus_;
};

}  // namespace

Share share_of(int64_t total, int64_t parts, int64_t index) {
  return {total * index / parts, total * (index + 1) / parts};
}

Tensor ProcessGroup::broadcast(const Tensor& tensor) {
  if (size() == 1) return tensor;
  const ProfileRange range(PassPart::exchange);
  std::vector<Message> sent;
  for (int peer = 1; is_first() && peer < size(); ++peer) sent.push_back({peer, tensor.contiguous()});
  if (is_first()) {
    exchange(sent, {});
    return tensor;
  }
  const Tensor first = at::empty(tensor.sizes(), tensor.options());
  exchange({}, {{0, first}});
  return first;
}

bool ProcessGroup::agree(bool decision) { return agree(int64_t{decision}) != 0; }

int64_t ProcessGroup::agree(int64_t number) {
  return size() == 1 ? number : std::stoll(agree_text(std::to_string(number)));
}

void ProcessGroup::expect_equal(const Tensor& weights) {
  if (size() == 1) return;
  const auto checksum = weights.detach().view(at::kInt).sum(at::kLong).item<int64_t>();
  if (agree(checksum) != checksum) fail(ErrorKind::internal, "train: the weights of the processes differ");
}

struct GroupStore::Server {
  c10d::TCPStore store{kThisHost, store_options(/*port=*/0, /*is_server=*/true)};  // any port that is free
};

GroupStore::GroupStore() {
  try {
    server_ = std::make_unique<Server>();
  } catch (const c10::Error& error) {
    fail(ErrorKind::internal, fmt::format("no free port on {}: {}", kThisHost, error.what_without_backtrace()));
  }
}

GroupStore::~GroupStore() = default;

uint16_t GroupStore::port() const { return server_->store.getPort(); }

std::unique_ptr<ProcessGroup> join_processes(const LaunchedProcess& process, at::Device device) {
  if (process.count == 1) return std::make_unique<ProcessGroup>();
  if (process.host.empty()) {
    fail(ErrorKind::usage,
         "MASTER_ADDR: expected the host of rank 0, as the processes are on several hosts, got nothing",
         "set MASTER_ADDR and MASTER_PORT to the address of rank 0");
  }
  if (device.is_cuda()) return std::make_unique<GpuGroup>(process, device);
  return std::make_unique<StoreGroup>(process);
}

}  // namespace faststar
