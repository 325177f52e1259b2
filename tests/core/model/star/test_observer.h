#pragma once
#include <functional>
#include <vector>

#include "core/model/star/generator.h"

namespace faststar::test {

/// Calls whichever of its functions a test has set.
struct TestObserver final : GenerationObserver {
  std::function<Tensor(const StepResult&)> bits;
  std::function<void(const ReducedStep&)> reduced;
  std::function<void(const Step&, const std::vector<Tensor>&)> step;

  Tensor on_bits(const StepResult& result) override { return bits ? bits(result) : result.bits; }
  void on_reduced_step(const ReducedStep& result) override {
    if (reduced) reduced(result);
  }
  void on_step(const Step& done, const std::vector<Tensor>& clips) override {
    if (step) step(done, clips);
  }
};

}  // namespace faststar::test
