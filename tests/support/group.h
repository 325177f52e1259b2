#pragma once
// Processes of a group as threads of this one.
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <future>
#include <type_traits>
#include <vector>

#include "core/base/process_group.h"

namespace faststar::test {

/// What `work` returns in each of `count` processes on CPUs, by rank.
template <typename Work>
auto in_group(int count, Work work) {
  const GroupStore store;
  const int threads = at::get_num_threads();
  using Result = std::invoke_result_t<Work, ProcessGroup&>;
  std::vector<std::future<Result>> running;
  for (int rank = 0; rank < count; ++rank) {
    running.push_back(std::async(std::launch::async, [&, rank] {
      const c10::InferenceMode inference;
      at::set_num_threads(1);  // or they would wait for each other's cores
      return work(*join_processes({.rank = rank, .count = count, .host = "127.0.0.1", .port = store.port()}, at::kCPU));
    }));
  }
  std::vector<Result> results;
  for (auto& result : running) results.push_back(result.get());
  at::set_num_threads(threads);
  return results;
}

}  // namespace faststar::test
