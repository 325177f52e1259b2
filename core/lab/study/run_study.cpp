#include "core/lab/study/run_study.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/lab/study/results.h"

namespace faststar {
namespace {

class StudyRun {
 public:
  StudyRun(const StudyModel& model, const StudyJob& job, Progress& progress)
      : model_(model), job_(job), progress_(progress), arms_(control_arms()) {
    arms_.insert(arms_.end(), job.variants.begin(), job.variants.end());
    results_.emplace(job.folder, job.shard, model.setup, job.prompts, arms_);
  }

  void run() {
    size_t planned = 0;
    for (const StudyPrompt* prompt : part()) planned += missing(*prompt).size();
    progress_.plan(Stage::tokens, static_cast<double>(planned));
    for (const StudyPrompt* prompt : part()) run_prompt(*prompt);
  }

 private:
  std::vector<const StudyPrompt*> part() const {
    std::vector<const StudyPrompt*> prompts;
    for (const StudyPrompt& prompt : job_.prompts) {
      if (prompt.index % job_.shard.count == job_.shard.index) prompts.push_back(&prompt);
    }
    return prompts;
  }

  std::vector<const StudyVariant*> missing(const StudyPrompt& prompt) const {
    std::vector<const StudyVariant*> arms;
    for (const StudyVariant& arm : arms_) {
      if (!results_->has(prompt.index, arm.name)) arms.push_back(&arm);
    }
    return arms;
  }

  void run_prompt(const StudyPrompt& prompt) {
    const auto arms = missing(prompt);
    if (arms.empty()) return;
    stop_if_asked();
    PromptStudy study(model_, prompt);
    for (const StudyVariant* arm : arms) {
      stop_if_asked();
      results_->append(study.measure(*arm));
      progress_.advance(Stage::tokens, 1,
                        fmt::format("prompt {}/{}, {}", prompt.index + 1, job_.prompts.size(), arm->name));
    }
  }

  void stop_if_asked() const {
    if (progress_.stop_requested()) fail(ErrorKind::interrupted, "stopped; the same command goes on");
  }

  const StudyModel& model_;
  const StudyJob& job_;
  Progress& progress_;
  std::vector<StudyVariant> arms_;
  std::optional<ResultsFile> results_;
};

}  // namespace

void run_study(const StudyModel& model, const StudyJob& job, Progress& progress) {
  const c10::InferenceMode inference;
  StudyRun(model, job, progress).run();
}

}  // namespace faststar
