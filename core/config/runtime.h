#pragma once
#include <array>
#include <optional>
#include <string>

#include "core/base/device.h"
#include "core/config/fields.h"
#include "core/model/star/attention.h"

namespace faststar {

enum class Precision { fp32, bf16 };
template <>
struct Choices<Precision> {
  static constexpr std::array<std::string_view, 2> names = {"fp32", "bf16"};
};

template <>
struct Choices<AttentionBackend> {
  static constexpr std::array<std::string_view, 3> names = {"auto", "cudnn", "aten"};
};

template <>
struct Choices<Kernels> {
  static constexpr std::array<std::string_view, 2> names = {"auto", "reference"};
};

/// How progress is shown on stderr; `automatic` is a bar on a terminal, else plain lines.
enum class ProgressStyle { automatic, bar, plain, json, none };
template <>
struct Choices<ProgressStyle> {
  static constexpr std::array<std::string_view, 5> names = {"auto", "bar", "plain", "json", "none"};
};

/// Where and how it runs, and what is said meanwhile.
struct RuntimeConfig {
  std::optional<std::string> device;   ///< cpu, cuda or cuda:N; none: the first GPU, else the CPU
  std::optional<Precision> precision;  ///< of the transformer; none: bf16 on a GPU, fp32 on a CPU
  std::optional<double> vram;          ///< most memory on the GPU, in GB = 10^9 bytes; none: all that is free
  AttentionBackend attention = AttentionBackend::automatic;
  Kernels kernels = Kernels::automatic;  ///< reference: plain ATen instead of our CUDA kernels
  ProgressStyle progress = ProgressStyle::automatic;
  bool quiet = false;  ///< warnings and errors only
  bool json = false;   ///< the result on stdout as JSON
};

template <FieldsOf<RuntimeConfig> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "device",
              .help = "cpu, cuda or cuda:N",
              .argument = "NAME",
              .scope = FlagScope::writing,
              .page = HelpPage::screen},
        c.device);
  visit(Field{.name = "precision", .help = "default: bf16 on a GPU, fp32 on a CPU", .scope = FlagScope::writing},
        c.precision);
  visit(Field{.name = "vram",
              .help = "most memory on the GPU, in GB",
              .range = {0.1, 100000},
              .argument = "GB",
              .scope = FlagScope::writing,
              .page = HelpPage::screen},
        c.vram);
  visit(Field{.name = "attention", .help = "attention library"}, c.attention);
  visit(Field{.name = "kernels", .help = "our CUDA kernels or LibTorch's", .scope = FlagScope::writing}, c.kernels);
  visit(Field{.name = "progress",
              .help = "auto, bar, plain, json or none",
              .argument = "STYLE",
              .scope = FlagScope::writing},
        c.progress);
  visit(Field{.name = "quiet", .help = "warnings and errors only", .other_names = "-q", .scope = FlagScope::writing},
        c.quiet);
  visit(Field{.name = "json", .help = "result as JSON on stdout", .scope = FlagScope::writing}, c.json);
}

}  // namespace faststar
