#include "core/pipeline/batch/batch_folder.h"
#include "support/support.h"

namespace faststar {
namespace {

using test::error_of;
using test::TempDir;

/// config.yaml as version 0.1.0 wrote it for: batch LIST -o DIR --duration 1 --seed 3 --device cpu --quiet
constexpr const char* kConfigOfVersion010 = R"(model:
  random_weights: false
generate:
  start: 0
  fit: crop
  only_new: false
  duration: 1
  resolution: 192p
  aspect: "16:9"
  count: 1
  first_frame: copy
prompt:
  prompt_suffix: ""
  duration_tag: false
  text_limit: 64
guidance:
  guidance: 3
  guidance_method: cfg
  apg_norm_threshold: 0.05
sampling:
  seed: 3
  sampling: philox
  tau_image: 0.4
  tau_video: 0.25
schedule:
  image_repetitions: [2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1]
  video_repetitions: [2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1]
  semantic_scales: 8
  detail_scale_min_tokens: 100
reduction:
  method: none
  ratios: [0.2, 0.3, 0.4, 0.7]
  no_reduce: false
  scales: last4
  last_rep_full: true
  prune_image_clip: false
  topk_scope: clip
  keep_align: 1
  tie_break: hash
  cfg_mask: mean
  apg_stats: kept
  kv_store: kept
  multi_clip_last_ratio_cap: 1
  faststar:
    scorer: spatiotemporal
    p: 2
    spatial_prev: prev_scale
    temporal_ref_first: image_last_scale
    temporal_ref: prev_clip_same_scale
    t_match: clamp
    score_norm: none
    spatial_memory: none
    mask_down: area_topk
    pu_mask: feature
    pu_boundary: zero
    eps: 1e-08
  fastvar:
    layers: []
    cache: first
    mean: clip
  sparsevar:
    ratio_mode: fixed
    theta: 0.6
    window: 4
    mse_layers: []
    beta: 0.9
    force_anchors: true
  tome:
    scope: layer
    matching: strided
    dst_stride: [2, 2, 2]
    dst_rand: true
    merge_mode: mean
  stepvar:
    weight: 1
    normalize: minmax
    iters: 8
    pool: 3
    pool_t: 1
    restore: logits
  random:
    resample: iter
output:
  overwrite: false
  crf: 17
  preset: medium
  lossless: false
  no_metadata: false
runtime:
  device: "cpu"
  precision: fp32
  attention: auto
  kernels: auto
  progress: auto
  quiet: true
  json: false
)";

}  // namespace

TEST_CASE("a batch goes on with the settings it began with", "[batch]") {
  const TempDir folder;
  const auto file = folder / "config.yaml";
  CHECK_FALSE(read_batch_settings(file));
  Config config;
  config.generate.duration = {5};
  config.sampling.seed = 7;
  config.prompt.prompt_suffix = ", \"close\" up: #1";
  write_file(file, config_yaml(config, "720p"), Existing::refuse);
  const auto before = read_batch_settings(file);
  REQUIRE(before);
  CHECK(before->sampling.seed == 7);
  CHECK(settings_hash(*before) == settings_hash(config));
  check_same_settings(file, *before, config);
  CHECK(error_of([&] { write_file(file, config_yaml(config, ""), Existing::refuse); }).kind() == ErrorKind::output);
}

TEST_CASE("other settings are refused by name with both values", "[batch]") {
  const TempDir folder;
  const auto file = folder / "config.yaml";
  Config before;
  before.sampling.seed = 7;
  Config now = before;
  now.guidance.scale = 3.5;
  now.sampling.seed = 8;
  now.runtime.precision = Precision::bf16;
  const Error error = error_of([&] { check_same_settings(file, before, now); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(std::string(error.what()) ==
        file.string() +
            ": this batch was started with other settings: guidance.guidance was 1.0, now it is 3.5; "
            "runtime.precision was not set, now it is \"bf16\"; sampling.seed was 7, now it is 8");
  CHECK(settings_hash(before) != settings_hash(now));
}

TEST_CASE("where a batch runs and what it prints may change", "[batch]") {
  const Config before;
  Config now;
  now.runtime.device = "cuda:1";
  now.runtime.progress = ProgressStyle::json;
  now.runtime.quiet = true;
  now.output.output = "elsewhere";
  now.output.overwrite = true;
  check_same_settings("config.yaml", before, now);
  CHECK(settings_hash(before) == settings_hash(now));
}

TEST_CASE("a batch of version 0.1.0 can be resumed", "[batch]") {
  const TempDir folder;
  const auto file = folder / "config.yaml";
  test::write_text(file, kConfigOfVersion010);
  const auto before = read_batch_settings(file);
  REQUIRE(before);
  CHECK(settings_hash(*before) == "38f25fbed9a47546");
  BatchItem item;
  item.text = "a red ball rolls";
  CHECK(item_hash(item, settings_hash(*before)) == "7b8dcc14ada9af23");  // in the manifest of that version
  // What the same command line resolves to now.
  Config now = *before;
  now.reduction = {};
  check_same_settings(file, *before, now);
  CHECK(settings_hash(now) == "38f25fbed9a47546");
  now.reduction.faststar.p = NormDegree::one;
  CHECK(settings_hash(now) != "38f25fbed9a47546");
}

}  // namespace faststar
