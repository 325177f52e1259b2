#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/config/resolve.h"
#include "core/media/video_writer.h"
#include "core/model/star/generator.h"
#include "core/pipeline/codes_file.h"
#include "core/pipeline/pipeline.h"

namespace faststar {

enum class Task {
  text_to_video,
  text_to_image,
  image_to_video,
  video_to_video,
  interactive,  ///< a clip that continues the one before it, with a prompt of its own
};

/// The command that does a task.
const char* task_command(Task task);

/// The grid of a run and the pixels it becomes.
struct VideoSize {
  double aspect_key = 0.562;  ///< template of the schedule, height / width
  std::string pn;             ///< official size name, "0.90M"
  int latent_frames = 1;      ///< 1 is a picture
  int latents_per_clip = 20;
  int64_t frames = 1;  ///< 4 (latent_frames - 1) + 1
  int64_t height = 0;  ///< pixels
  int64_t width = 0;   ///< pixels
};

/// The picture or video that a run starts from.
struct SourceClip {
  std::filesystem::path file;
  Fit fit = Fit::crop;
  std::optional<double> start = 0;  ///< second at which the part of a video begins; none: its last part
  bool only_new = false;            ///< leave its part out of the file
  int64_t latents = 1;              ///< latent frames of it: 1 of a picture, the first clips of a video
};

/// One file to make.
struct RequestedOutput {
  int64_t seed = 0;
  std::filesystem::path file;
  std::optional<std::filesystem::path> frames_dir;
  std::optional<std::filesystem::path> codes;
  std::optional<std::filesystem::path> preview;
  std::optional<std::filesystem::path> trace;
  std::string settings_json;  ///< all that remakes the file, for its metadata
  bool resumes = false;       ///< the same command finds the codes and goes on from them
  std::vector<std::shared_ptr<const NameClaim>> claims = {};  ///< on the files, until they are made
};

/// What to make, resolved and checked: nothing is left to decide.
struct Request {
  Task task = Task::text_to_video;
  std::string command = "t2v";  ///< that its files name as the one that made them
  ModelSetup setup;
  std::string prompt;                   ///< as the user wrote it
  std::string model_prompt;             ///< with tag and suffix: what the tokenizer gets
  std::optional<std::string> negative;  ///< none: the learned unconditional text
  int text_limit = 512;                 ///< tokens
  VideoSize size;
  Schedule schedule = Schedule({Scale{}});
  GenerationSettings generation;  ///< but for the seed, which each output has
  int detail_scale_min_tokens = 0;
  std::optional<SourceClip> source;
  std::optional<SavedCodes> codes;  ///< to decode again; nothing is generated then
  FirstFrame first_frame = FirstFrame::copy;
  VideoEncoding encoding;
  bool metadata = true;                  ///< files hold the settings that remake them
  Existing existing = Existing::refuse;  ///< for every file of `outputs`
  std::vector<RequestedOutput> outputs;  ///< one a seed, in order

  /// First clips whose bits the source gives; none in interactive mode, where it is a condition.
  int given_clips() const;
  bool leaves_out_source() const { return source && source->only_new; }
  /// Frames of a file: all, or those after the source.
  int64_t frames_shown() const;
};

/// Checks everything that can be checked before weights load and decides what was left open. `resolved` becomes
/// what --save-config writes: prompt and seed are filled in. Throws Error of the kind that the exit code names: usage,
/// input (prompt file), device, output.
Request make_request(Task task, ResolvedSettings& resolved);

/// The same for an interactive run. Its only output is the joined file; `first_prompt` is a checked_prompt().
Request make_interactive_request(ResolvedSettings& resolved, const std::string& first_prompt);

/// The same without prompt and outputs, for many prompts.
Request make_shared_request(Task task, ResolvedSettings& resolved);
/// Sets the prompt, a checked_prompt(), and what the model gets for it.
void set_prompt(Request& request, const std::string& prompt, const Config& config);

/// A request to decode `codes`, which were read from `file`, with the output options of `resolved`.
Request make_decode_request(SavedCodes codes, const std::string& file, const ResolvedSettings& resolved);

/// How a configuration has the transformer generate: the one translation of its sections.
GenerationSettings generation_settings(const Config& config);

/// The schedule of a task at a size; of interactive mode that of a clip which continues another.
Schedule schedule_of(Task task, const VideoSize& size);

/// A random seed after which `count` - 1 more fit.
int64_t random_seed(int count);

/// JSON of all that remakes the file of `request` with this seed, for its metadata.
std::string output_settings(const Request& request, Config config, int64_t seed);

/// The lines that tell a user what will run: model, prompt as sent, pixels, seed, device, files.
std::vector<std::string> describe(const Request& request);

}  // namespace faststar
