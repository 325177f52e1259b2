#include "core/lab/train/workers.h"

#include <ATen/ATen.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "support/support.h"

namespace faststar {
namespace {

/// What `work` returns in each of `count` workers on CPUs, by rank.
template <typename Work>
auto in_workers(int count, Work work) {
  const WorkerStore store;
  using Result = std::invoke_result_t<Work, Workers&>;
  std::vector<std::future<Result>> running;
  for (int rank = 0; rank < count; ++rank) {
    running.push_back(std::async(std::launch::async, [&, rank] {
      return work(*join_workers({.rank = rank, .count = count, .host = "127.0.0.1", .port = store.port()}, at::kCPU));
    }));
  }
  std::vector<Result> results;
  for (auto& result : running) results.push_back(result.get());
  return results;
}

}  // namespace

TEST_CASE("workers get the mean of their gradients, bit for bit the same", "[train]") {
  constexpr int64_t kMoreThanOnePiece = 1'200'000;  // of float32
  const auto means = in_workers(3, [](Workers& workers) {
    std::vector<Tensor> rounds;
    for (int round = 0; round < 2; ++round) {
      rounds.push_back(test::seeded_randn({kMoreThanOnePiece}, static_cast<uint64_t>(10 * round + workers.rank())));
      workers.average(rounds.back());
    }
    return rounds;
  });
  for (size_t round = 0; round < 2; ++round) {
    Tensor sum = at::zeros({kMoreThanOnePiece});
    for (uint64_t rank = 0; rank < 3; ++rank) sum += test::seeded_randn({kMoreThanOnePiece}, 10 * round + rank);
    CHECK(test::same(means[0][round], sum / 3));
    CHECK(test::same(means[1][round], means[0][round]));
    CHECK(test::same(means[2][round], means[0][round]));
  }
}

TEST_CASE("workers do what the first one decides", "[train]") {
  const auto decisions = in_workers(2, [](Workers& workers) {
    workers.meet();
    return std::pair(workers.agree(workers.rank() == 0), workers.agree(workers.rank() == 1));
  });
  CHECK((decisions == std::vector{std::pair(true, false), std::pair(true, false)}));
}

TEST_CASE("workers whose weights differ in one bit are found out", "[train]") {
  const auto kinds = in_workers(2, [](Workers& workers) -> std::optional<ErrorKind> {
    Tensor weights = at::ones({100});
    workers.expect_equal(weights);
    if (workers.rank() == 1) weights[99] = std::nextafter(1.0f, 2.0f);
    try {
      workers.expect_equal(weights);
    } catch (const Error& error) {
      return error.kind();
    }
    return std::nullopt;
  });
  CHECK_FALSE(kinds[0]);
  CHECK((kinds[1] == ErrorKind::internal));
}

TEST_CASE("the first worker can hold the store itself, and leaves last", "[train]") {
  uint16_t port = 0;
  { port = WorkerStore().port(); }  // free again
  std::atomic<bool> other_left = false;
  const auto work = [&](int rank) {
    const auto workers =
        join_workers({.rank = rank, .count = 2, .host = "127.0.0.1", .port = port, .hosts_store = rank == 0}, at::kCPU);
    const bool decision = workers->agree(rank == 0);
    if (rank == 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      other_left = true;
    }
    workers->leave();
    return decision && other_left;
  };
  auto second = std::async(std::launch::async, work, 1);
  CHECK(work(0));
  CHECK(second.get());
}

TEST_CASE("workers on several hosts need an address", "[train]") {
  const Error error = test::error_of([] { join_workers({.rank = 0, .count = 2}, at::kCPU); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(std::string(error.what()).starts_with("MASTER_ADDR: "));
}

}  // namespace faststar
