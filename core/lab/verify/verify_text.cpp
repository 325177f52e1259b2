#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/weights/checkpoint.h"
#include "core/lab/verify/components.h"
#include "core/model/text/t5.h"
#include "core/model/text/tokenizer.h"

namespace faststar {
namespace {

/// Tokens that the masked fixture keeps.
constexpr int64_t kMaskedLength = 50;

}  // namespace

ComponentResult verify_t5(const FixtureSet& set, const VerifyOptions& options) {
  const Weights weights(open_checkpoint(set.path("t5")), set.device(), set.dtype());
  const T5Encoder encoder(weights, detect_t5_architecture(weights, set.path("t5")));
  const Fixture io = set.open("t5/io.safetensors");
  const Tensor ids = io["input_ids"][0].to(at::kLong);
  Comparison comparison("t5", tolerances_of(options.dtype).t5);
  comparison.close("last_hidden_state", encoder(ids).unsqueeze(0), io["last_hidden_state"]);
  // Positions without mask do not see the rest: running them alone is the same.
  const std::string masked = fmt::format("last_hidden_state_first{}_masked", kMaskedLength);
  if (io.has(masked)) {
    comparison.close(masked, encoder(ids.narrow(0, 0, kMaskedLength)).unsqueeze(0), io[masked]);
  }
  return comparison.result();
}

ComponentResult verify_tokenizer(const FixtureSet& set, const VerifyOptions&) {
  const Tokenizer tokenizer(set.path("t5/spiece.model"));
  Comparison comparison("tokenizer", 0);
  try {
    for (const auto& entry : read_fixture_json(set.path("t5/tokens.json"))) {
      const auto text = entry.at("text").get<std::string>();
      const auto expected = entry.at("ids").get<std::vector<int64_t>>();
      const auto encoded = tokenizer.encode(text, static_cast<int64_t>(expected.size()) + 1);
      comparison.equal(fmt::format("ids of \"{}\"", text), at::tensor(encoded.ids, at::kLong),
                       at::tensor(expected, at::kLong));
    }
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::input, fmt::format("{}: {}", set.path("t5/tokens.json").string(), error.what()));
  }
  return comparison.result();
}

}  // namespace faststar
