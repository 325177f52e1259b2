#include "core/base/process_group.h"

#include <ATen/ATen.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "support/group.h"
#include "support/support.h"

namespace faststar {
namespace {
using test::in_group;
/// Elements of float32.
constexpr int64_t kMoreThanOnePiece = 1'200'000;
}  // namespace

TEST_CASE("processes get the mean of a tensor, bit for bit the same", "[group]") {
  const auto means = in_group(3, [](ProcessGroup& group) {
    std::vector<Tensor> rounds;
    for (int round = 0; round < 2; ++round) {
      rounds.push_back(test::seeded_randn({kMoreThanOnePiece}, static_cast<uint64_t>(10 * round + group.rank())));
      group.average(rounds.back());
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

TEST_CASE("processes do what the first one decides", "[group]") {
  const auto decisions = in_group(2, [](ProcessGroup& group) {
    group.meet();
    return std::tuple(group.agree(group.rank() == 0), group.agree(group.rank() == 1),
                      group.agree(int64_t{7} - group.rank()), group.agree_text(group.is_first() ? "first" : "other"));
  });
  const std::tuple<bool, bool, int64_t, std::string> first(true, false, 7, "first");
  CHECK((decisions == std::vector{first, first}));
}

TEST_CASE("messages of any size arrive at their peers in order", "[group]") {
  const auto arrived = in_group(3, [](ProcessGroup& group) {
    const auto from = [&](int rank, int64_t size, int number) {
      return test::seeded_randn({size}, static_cast<uint64_t>(10 * rank + number));
    };
    std::vector<Message> sent, received;
    for (int peer = 0; peer < group.size(); ++peer) {
      if (peer == group.rank()) continue;
      for (const auto& [number, size] : {std::pair(0, kMoreThanOnePiece), std::pair(1, int64_t{3})}) {
        sent.push_back({peer, from(group.rank(), size, number)});
        received.push_back({peer, at::zeros({size})});
      }
    }
    group.exchange(sent, received);
    bool all = true;
    for (size_t i = 0; i < received.size(); ++i) {
      const Tensor& got = received[i].tensor;
      all = all && test::same(got, from(received[i].peer, got.size(0), static_cast<int>(i % 2)));
    }
    return all;
  });
  CHECK(arrived == std::vector<bool>{true, true, true});
}

TEST_CASE("processes get the first one's tensor, whatever its layout", "[group]") {
  const auto same = in_group(3, [](ProcessGroup& group) {
    const Tensor first = test::seeded_randn({4, 6}, 1).transpose(0, 1);
    return test::same(group.broadcast(group.is_first() ? first : at::zeros({6, 4})), first);
  });
  CHECK(same == std::vector<bool>{true, true, true});
}

TEST_CASE("shares are in order and differ by one at most", "[group]") {
  for (const int64_t total : {0, 1, 7, 8, 90}) {
    int64_t end = 0;
    for (int64_t part = 0; part < 4; ++part) {
      const Share share = share_of(total, 4, part);
      CHECK(share.begin == end);
      CHECK((share.size() == total / 4 || share.size() == total / 4 + 1));
      end = share.end;
    }
    CHECK(end == total);
  }
}

TEST_CASE("processes whose weights differ in one bit are found out", "[group]") {
  const auto kinds = in_group(2, [](ProcessGroup& group) -> std::optional<ErrorKind> {
    Tensor weights = at::ones({100});
    group.expect_equal(weights);
    if (group.rank() == 1) weights[99] = std::nextafter(1.0f, 2.0f);
    try {
      group.expect_equal(weights);
    } catch (const Error& error) {
      return error.kind();
    }
    return std::nullopt;
  });
  CHECK_FALSE(kinds[0]);
  CHECK((kinds[1] == ErrorKind::internal));
}

TEST_CASE("the first process can hold the store itself, and leaves last", "[group]") {
  uint16_t port = 0;
  { port = GroupStore().port(); }  // free again
  std::atomic<bool> other_left = false;
  const auto work = [&](int rank) {
    const auto group = join_processes(
        {.rank = rank, .count = 2, .host = "127.0.0.1", .port = port, .hosts_store = rank == 0}, at::kCPU);
    const bool decision = group->agree(rank == 0);
    if (rank == 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      other_left = true;
    }
    group->leave();
    return decision && other_left;
  };
  auto second = std::async(std::launch::async, work, 1);
  CHECK(work(0));
  CHECK(second.get());
}

TEST_CASE("processes on several hosts need an address", "[group]") {
  const Error error = test::error_of([] { join_processes({.rank = 0, .count = 2}, at::kCPU); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(std::string(error.what()).starts_with("MASTER_ADDR: "));
}

}  // namespace faststar
