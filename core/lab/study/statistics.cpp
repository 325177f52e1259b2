#include "core/lab/study/statistics.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>

namespace faststar {
namespace {

using RecordsByPrompt = std::map<int64_t, const StudyRecord*>;

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// dB; nullopt for an identical clip, whose PSNR is infinite, and when not measured.
std::optional<double> psnr_of(const std::optional<ClipDistance>& distance) {
  if (!distance || distance->mse == 0) return std::nullopt;
  return psnr(distance->mse);
}

/// The values of `value_of(record)` that are not nullopt.
template <typename ValueOf>
std::vector<double> values_of(const RecordsByPrompt& records, ValueOf&& value_of) {
  std::vector<double> values;
  for (const auto& [prompt, record] : records) {
    const std::optional<double> value = value_of(*record);
    if (value) values.push_back(*value);
  }
  return values;
}

/// combine(value here, value there) of the prompts that have both.
template <typename ValueOf, typename Combine>
std::vector<double> paired(const RecordsByPrompt& here, const RecordsByPrompt& there, ValueOf&& value_of,
                           Combine&& combine) {
  std::vector<double> values;
  for (const auto& [prompt, record] : here) {
    const auto other = there.find(prompt);
    if (other == there.end()) continue;
    const std::optional<double> a = value_of(*record), b = value_of(*other->second);
    if (a && b) values.push_back(combine(*a, *b));
  }
  return values;
}

std::optional<double> pooled_psnr(const RecordsByPrompt& records) {
  const auto mse = values_of(records, [](const StudyRecord& record) -> std::optional<double> {
    if (!record.from_dense) return std::nullopt;
    return record.from_dense->mse;
  });
  const double mean = spread_of(mse).mean;
  if (mean == 0) return std::nullopt;
  return psnr(mean);
}

/// The median of number_of(entry of the scale), over the records that have one.
template <typename Value, typename NumberOf>
double median_of_scale(const RecordsByPrompt& records, std::vector<Value> StudyRecord::*by_scale, size_t scale,
                       NumberOf&& number_of) {
  return median_of(values_of(records, [&](const StudyRecord& record) -> std::optional<double> {
    if (scale >= (record.*by_scale).size()) return std::nullopt;
    return number_of((record.*by_scale)[scale]);
  }));
}

std::vector<double> median_by_scale(const RecordsByPrompt& records) {
  std::vector<double> medians(records.begin()->second->scale_ms.size());
  for (size_t scale = 0; scale < medians.size(); ++scale) {
    medians[scale] = median_of_scale(records, &StudyRecord::scale_ms, scale, std::identity());
  }
  return medians;
}

std::vector<PartTimes> median_parts(const RecordsByPrompt& records) {
  size_t scales = 0;
  for (const auto& [prompt, record] : records) scales = std::max(scales, record->part_ms.size());
  std::vector<PartTimes> medians(scales);
  for (size_t scale = 0; scale < scales; ++scale) {
    for (size_t part = 0; part < kPassPartNames.size(); ++part) {
      medians[scale].ms[part] = median_of_scale(records, &StudyRecord::part_ms, scale,
                                                [&](const PartTimes& times) { return times.ms[part]; });
    }
  }
  return medians;
}

std::optional<double> mean_where_there(const std::vector<const ReducedPassRecord*>& passes,
                                       std::optional<double> ReducedPassRecord::*value) {
  std::vector<double> values;
  for (const ReducedPassRecord* pass : passes) {
    if (pass->*value) values.push_back(*(pass->*value));
  }
  if (values.empty()) return std::nullopt;
  return spread_of(values).mean;
}

/// Means by scale and repetition.
std::vector<ReducedPassRecord> mean_passes(const RecordsByPrompt& records) {
  std::map<std::pair<int, int>, std::vector<const ReducedPassRecord*>> all;
  for (const auto& [prompt, record] : records) {
    for (const ReducedPassRecord& pass : record->passes) all[{pass.scale, pass.repetition}].push_back(&pass);
  }
  std::vector<ReducedPassRecord> means;
  for (const auto& [key, passes] : all) {
    ReducedPassRecord& mean = means.emplace_back(*passes.front());
    int64_t kept = 0;
    for (const ReducedPassRecord* pass : passes) kept += pass->kept;
    mean.kept = kept / static_cast<int64_t>(passes.size());
    mean.spatial = mean_where_there(passes, &ReducedPassRecord::spatial);
    mean.temporal = mean_where_there(passes, &ReducedPassRecord::temporal);
    mean.pruned_again = mean_where_there(passes, &ReducedPassRecord::pruned_again);
  }
  return means;
}

std::vector<double> mean_by_scale(const RecordsByPrompt& records, std::vector<double> StudyRecord::*by_scale) {
  std::vector<double> means((records.begin()->second->*by_scale).size(), 0);
  for (const auto& [prompt, record] : records) {
    const std::vector<double>& values = record->*by_scale;
    for (size_t scale = 0; scale < std::min(means.size(), values.size()); ++scale) {
      means[scale] += values[scale] / static_cast<double>(records.size());
    }
  }
  return means;
}

/// The records of a study by variant and prompt.
class Summarizer {
 public:
  explicit Summarizer(const std::vector<StudyRecord>& records) {
    for (const StudyRecord& record : records) {
      if (!variants_.contains(record.variant)) order_.push_back(record.variant);
      variants_[record.variant][record.prompt] = &record;
    }
  }

  StudySummary summarize() const {
    StudySummary summary;
    const RecordsByPrompt& dense = of(kDenseVariant);
    summary.prompts = static_cast<int64_t>(dense.size());
    for (const std::string& name : order_) summary.variants.push_back(summarize(name, of(name)));
    if (dense.empty()) return summary;
    summary.setup = dense.begin()->second->setup;
    summary.scales = dense.begin()->second->scales;
    summary.high_frequency = mean_by_scale(dense, &StudyRecord::high_frequency);
    return summary;
  }

 private:
  const RecordsByPrompt& of(const std::string& name) const {
    static const RecordsByPrompt none;
    const auto found = variants_.find(name);
    return found == variants_.end() ? none : found->second;
  }

  VariantSummary summarize(const std::string& name, const RecordsByPrompt& records) const {
    const StudyRecord& first = *records.begin()->second;
    VariantSummary variant{.name = name, .settings = first.settings};
    variant.prompts = static_cast<int64_t>(records.size());
    variant.tokens = first.tokens;
    variant.scale_ms = median_by_scale(records);
    variant.flipped = mean_by_scale(records, &StudyRecord::flipped);
    variant.part_ms = median_parts(records);
    variant.passes = mean_passes(records);
    variant.kept =
        spread_of(values_of(records, [](const StudyRecord& r) -> std::optional<double> { return r.kept; })).mean;
    variant.work = spread_of(values_of(records, [](const StudyRecord& r) -> std::optional<double> {
                     return r.guidance.work;
                   })).mean;
    add_fidelity(records, variant);
    add_speed(records, variant);
    add_truth(records, variant);
    return variant;
  }

  void add_fidelity(const RecordsByPrompt& records, VariantSummary& variant) const {
    const auto value = [](const StudyRecord& record) { return psnr_of(record.from_dense); };
    variant.psnr = spread_of(values_of(records, value));
    variant.pooled_psnr = pooled_psnr(records);
    const auto ssim = [](const StudyRecord& record) -> std::optional<double> {
      if (!record.from_dense) return std::nullopt;
      return record.from_dense->ssim;
    };
    variant.ssim = spread_of(values_of(records, ssim)).mean;
    for (const auto& [prompt, record] : records) {
      variant.identical += record->from_dense && record->from_dense->mse == 0 ? 1 : 0;
    }
    const auto above = paired(records, of(kRandomVariant), value, std::minus<>());
    variant.from_random = spread_of(above);
    const auto wins = std::ranges::count_if(above, [](double difference) { return difference > 0; });
    if (!above.empty()) variant.wins = static_cast<double>(wins) / static_cast<double>(above.size());
  }

  void add_speed(const RecordsByPrompt& records, VariantSummary& variant) const {
    const auto backbone = [](const StudyRecord& r) -> std::optional<double> { return r.backbone_ms(); };
    const auto end_to_end = [](const StudyRecord& r) -> std::optional<double> { return r.end_to_end_ms(); };
    const auto faster = [](double here, double dense) { return dense / here; };
    variant.backbone_ms = median_of(values_of(records, backbone));
    variant.end_to_end_ms = median_of(values_of(records, end_to_end));
    variant.backbone_speedup = speedup_of(paired(records, of(kDenseVariant), backbone, faster));
    variant.end_to_end_speedup = speedup_of(paired(records, of(kDenseVariant), end_to_end, faster));
  }

  void add_truth(const RecordsByPrompt& records, VariantSummary& variant) const {
    const auto right = [](const StudyRecord& record) -> std::optional<double> {
      if (!record.seen) return std::nullopt;
      return record.seen->all ? 1 : 0;
    };
    variant.right = spread_of(values_of(records, right));
    variant.right_from_dense = spread_of(paired(records, of(kDenseVariant), right, std::minus<>()));
    const auto truth = [](const StudyRecord& record) { return psnr_of(record.given_truth); };
    variant.given_psnr = spread_of(values_of(records, [](const StudyRecord& r) { return psnr_of(r.given_dense); }));
    variant.truth_psnr = spread_of(values_of(records, truth));
    variant.truth_from_dense = spread_of(paired(records, of(kDenseVariant), truth, std::minus<>()));
    variant.truth_from_random = spread_of(paired(records, of(kRandomVariant), truth, std::minus<>()));
    variant.continued_psnr = spread_of(values_of(records, [](const StudyRecord& r) { return psnr_of(r.continued); }));
  }

  std::map<std::string, RecordsByPrompt> variants_;
  std::vector<std::string> order_;
};

}  // namespace

double Spread::standard_error() const { return count > 1 ? deviation / std::sqrt(static_cast<double>(count)) : 0; }

Spread spread_of(std::vector<double> values) {
  Spread spread{.count = static_cast<int64_t>(values.size())};
  if (values.empty()) return spread;
  const auto count = static_cast<double>(values.size());
  spread.mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
  if (values.size() > 1) spread.deviation = std::sqrt(squares / (count - 1));
  spread.median = median_of(std::move(values));
  return spread;
}

Speedup speedup_of(std::vector<double> ratios) {
  std::erase_if(ratios, [](double ratio) { return !std::isfinite(ratio) || ratio <= 0; });
  for (double& ratio : ratios) ratio = std::log(ratio);
  const Spread logarithms = spread_of(std::move(ratios));
  const double ratio = std::exp(logarithms.mean);
  return {.count = logarithms.count, .ratio = ratio, .error = ratio * logarithms.standard_error()};
}

const VariantSummary* StudySummary::find(const std::string& name) const {
  const auto found = std::ranges::find(variants, name, &VariantSummary::name);
  return found == variants.end() ? nullptr : &*found;
}

StudySummary summarize_study(const std::vector<StudyRecord>& records) { return Summarizer(records).summarize(); }

}  // namespace faststar
