#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/config/fields.h"
#include "core/config/preset.h"
#include "core/lab/train/star_objective.h"
#include "core/lab/train/training_step.h"
#include "core/lab/train/vae_objective.h"
#include "core/lab/world/world.h"
#include "core/model/star/generator.h"

namespace faststar {

template <FieldsOf<OptimizerSettings> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "beta1", .range = {0, 1}}, c.beta1);
  visit(Field{.name = "beta2", .range = {0, 1}}, c.beta2);
  visit(Field{.name = "weight_decay", .range = {0, 1}}, c.weight_decay);
  visit(Field{.name = "longest_gradient", .range = {1e-6, 1e6}}, c.longest_gradient);
  visit(Field{.name = "average_decay", .range = {0, 1}}, c.average_decay);
}

template <FieldsOf<VaeLossWeights> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "object", .range = {0, 1000}}, c.object);
  visit(Field{.name = "near_object", .range = {0, 1000}}, c.near_object);
  visit(Field{.name = "squared", .range = {0, 1000}}, c.squared);
  visit(Field{.name = "spatial_gradient", .range = {0, 1000}}, c.spatial_gradient);
  visit(Field{.name = "temporal_difference", .range = {0, 1000}}, c.temporal_difference);
  visit(Field{.name = "pooled", .range = {0, 1000}}, c.pooled);
  visit(Field{.name = "commitment", .range = {0, 1000}}, c.commitment);
}

template <FieldsOf<VaeNoise> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "plain", .range = {0, 1}}, c.plain);
  visit(Field{.name = "flipped", .range = {0, 1}}, c.flipped);
  visit(Field{.name = "most_flips", .range = {0, 1}}, c.most_flips);
  visit(Field{.name = "truncated", .range = {0, 1}}, c.truncated);
  visit(Field{.name = "fewest_kept", .range = {0, 10000}}, c.fewest_kept);
}

template <FieldsOf<StarLossWeights> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "image", .range = {0, 1}}, c.image);
  visit(Field{.name = "scale_exponent", .range = {0, 4}}, c.scale_exponent);
  visit(Field{.name = "object", .range = {0, 1000}}, c.object);
}

template <FieldsOf<StarNoise> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "image_clips", .range = {0, 1}}, c.image_clips);
  visit(Field{.name = "video_clips", .range = {0, 1}}, c.video_clips);
  visit(Field{.name = "most_flips", .range = {0, 1}}, c.most_flips);
  visit(Field{.name = "dropped_texts", .range = {0, 1}}, c.dropped_texts);
}

/// The learning rate over a phase: warm-up, then half a cosine.
struct LearningRate {
  double start = 0;
  double end = 0;
  int warmup = 1;  ///< steps

  /// Of step `step` (from 0) of `steps`.
  double at(int64_t step, int64_t steps) const;
};

/// A phase that trains the VAE.
struct VaePhaseSettings {
  int steps = 0;
  int batch = 0;  ///< clips a step, of each process
  int height = 0;
  int width = 0;
  int frames = 0;
  double near_object = 0.7;  ///< share of crops around an object
  int noisy_every = 3;       ///< every n-th step corrupts codes
  LearningRate learning_rate;
};

template <FieldsOf<VaePhaseSettings> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "steps", .range = {0, 1e8}}, c.steps);
  visit(Field{.name = "batch", .range = {1, 1024}}, c.batch);
  visit(Field{.name = "height", .range = {16, 4096}}, c.height);
  visit(Field{.name = "width", .range = {16, 4096}}, c.width);
  visit(Field{.name = "frames", .range = {5, 1025}}, c.frames);
  visit(Field{.name = "near_object", .range = {0, 1}}, c.near_object);
  visit(Field{.name = "noisy_every", .range = {1, 1000}}, c.noisy_every);
  visit(Field{.name = "learning_rate", .range = {0, 1}}, c.learning_rate.start);
  visit(Field{.name = "last_learning_rate", .range = {0, 1}}, c.learning_rate.end);
  visit(Field{.name = "warmup", .range = {1, 1e6}}, c.learning_rate.warmup);
}

/// A phase that trains text encoder and transformer.
struct StarPhaseSettings {
  int steps = 0;
  int batch = 0;                 ///< clips a step, of each process; a multiple of 8
  int video_clips = 1;           ///< clips after the image, each as long as the model's
  bool half_clip = false;        ///< also train videos that end in the middle of the first clip
  int pool = 60000;              ///< scenes to draw from
  int capacity = 8192;           ///< clips whose features are held at a time
  int first_clips = 768;         ///< of them, before the first step
  int refresh_every = 6;         ///< steps between groups of 8 new clips
  double length_evenness = 0.5;  ///< 0: text lengths as they come, 1: all equally often
  LearningRate learning_rate;
};

template <FieldsOf<StarPhaseSettings> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "steps", .range = {0, 1e8}}, c.steps);
  visit(Field{.name = "batch", .range = {8, 1024}}, c.batch);
  visit(Field{.name = "video_clips", .range = {1, 8}}, c.video_clips);
  visit(Field{.name = "half_clip"}, c.half_clip);
  visit(Field{.name = "pool", .range = {8, 1e7}}, c.pool);
  visit(Field{.name = "capacity", .range = {8, 1e6}}, c.capacity);
  visit(Field{.name = "first_clips", .range = {8, 1e6}}, c.first_clips);
  visit(Field{.name = "refresh_every", .range = {1, 1e6}}, c.refresh_every);
  visit(Field{.name = "length_evenness", .range = {0, 1}}, c.length_evenness);
  visit(Field{.name = "learning_rate", .range = {0, 1}}, c.learning_rate.start);
  visit(Field{.name = "last_learning_rate", .range = {0, 1}}, c.learning_rate.end);
  visit(Field{.name = "warmup", .range = {1, 1e6}}, c.learning_rate.warmup);
}

/// What is trained, and how often it logs and saves.
struct RunSettings {
  std::string model = "tiny";  ///< preset, or its file, with the sizes of the networks and the schedule
  int seed = 0;
  int log_every = 50;       ///< steps
  int sample_every = 2000;  ///< steps
  int sample_clips = 4;     ///< clips that a picture shows; 0: no pictures
  int save_every = 120;     ///< seconds
};

template <FieldsOf<RunSettings> Self, typename Visitor>
void visit_fields(Self& c, Visitor&& visit) {
  visit(Field{.name = "model"}, c.model);
  visit(Field{.name = "seed", .range = {0, 1e9}}, c.seed);
  visit(Field{.name = "log_every", .range = {1, 1e6}}, c.log_every);
  visit(Field{.name = "sample_every", .range = {1, 1e8}}, c.sample_every);
  visit(Field{.name = "sample_clips", .range = {0, 64}}, c.sample_clips);
  visit(Field{.name = "save_every", .range = {1, 1e6}}, c.save_every);
}

/// The settings of a training run: the sections of configs/train-tiny.yaml.
struct TrainSettings {
  RunSettings run;
  WorldSettings world;
  OptimizerSettings vae_optimizer;
  VaeLossWeights vae_loss;
  VaeNoise vae_noise;
  VaePhaseSettings vae_crops, vae_frames;
  VaePhaseSettings vae_decoder;  ///< of the decoder alone: codes, and so the transformer, stay valid
  OptimizerSettings star_optimizer;
  StarLossWeights star_loss;
  StarNoise star_noise;
  StarPhaseSettings star_short, star_long;
};

template <FieldsOf<TrainSettings> Self, typename Visitor>
void visit_sections(Self& c, Visitor&& visit) {
  visit("run", c.run);
  visit("world", c.world);
  visit("vae_optimizer", c.vae_optimizer);
  visit("vae_loss", c.vae_loss);
  visit("vae_noise", c.vae_noise);
  visit("vae_crops", c.vae_crops);
  visit("vae_frames", c.vae_frames);
  visit("vae_decoder", c.vae_decoder);
  visit("star_optimizer", c.star_optimizer);
  visit("star_loss", c.star_loss);
  visit("star_noise", c.star_noise);
  visit("star_short", c.star_short);
  visit("star_long", c.star_long);
}

/// The last phase that trains the transformer: star_long, or star_short where that has no steps.
const StarPhaseSettings& last_star_phase(const TrainSettings& settings);

/// Every setting by its name: "world.emphasis" -> "5". For the log, and to tell two runs apart.
std::map<std::string, std::string> setting_texts(const TrainSettings& settings);

/// One stage of a recipe: a training run that starts where another one ended.
struct RecipeStage {
  std::string name;  ///< empty in a recipe of one unnamed stage
  std::string from;  ///< the stage whose model it starts from; empty: random weights
  TrainSettings settings;
};

/// Reads a recipe, at least one stage. Sections at the top level are settings of all stages. Under `stages`, in
/// order, a stage has the settings of the one that it names in `from` and changes what it says; it trains the phases
/// that it gives steps to. Throws Error(usage) naming file, line and key when something is unknown or wrong.
std::vector<RecipeStage> read_recipe(const std::filesystem::path& file);

/// The recipe of a file, or the one that the installation has under this name ("train-tiny"). Throws Error(usage).
std::vector<RecipeStage> find_recipe(const std::string& name_or_file);

/// Stage `name` of a recipe; empty: the last one. Throws Error(usage) when there is none of that name.
const RecipeStage& find_stage(const std::vector<RecipeStage>& recipe, const std::string& name);

/// What a run trains: the preset of its model, and what follows from it and the settings.
struct TrainPlan {
  ModelPreset preset;
  VaePlan vae;
  StarPlan star;
  GenerationSettings generation;  ///< of sample clips
  int64_t longest_text = 64;      ///< tokens of a caption
};

/// Reads the preset that `settings` name. Throws Error(usage) when there is none, or when it cannot be trained.
TrainPlan make_train_plan(const TrainSettings& settings);

}  // namespace faststar
