#include "core/lab/heatmap/heatmap.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/options/options.h"
#include "cli/progress/process.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/media/image.h"
#include "core/media/metadata.h"
#include "core/media/video_reader.h"
#include "core/media/video_writer.h"
#include "core/pipeline/same_work.h"

namespace faststar {
namespace {

struct HeatmapCommand {
  std::string trace, video, output;
  int64_t rows = 4;
  bool overwrite = false;
  bool json = false;

  Existing existing() const { return replace_if(overwrite); }
};

HeatmapFrame current_frame(VideoReader& video, const std::vector<LatentPlace>& places) {
  const int64_t number = video.index();
  if (number >= static_cast<int64_t>(places.size())) {
    fail(ErrorKind::input, fmt::format("the video has more than the {} frames of its run", places.size()));
  }
  return {video.pixels(), number, video.time(), places[static_cast<size_t>(number)]};
}

/// `rows` frames evenly over the clips that were reduced.
std::vector<int64_t> frames_of_sheet(const Trace& trace, const std::vector<LatentPlace>& places, int64_t rows) {
  std::vector<int64_t> reduced;
  for (size_t i = 0; i < places.size(); ++i) {
    const bool is_reduced = std::ranges::count(trace.steps, places[i].clip, &TracedStep::clip) > 0;
    if (is_reduced) reduced.push_back(static_cast<int64_t>(i));
  }
  const auto count = static_cast<int64_t>(reduced.size());
  std::vector<int64_t> chosen;
  for (int64_t row = 0; row < std::min(rows, count); ++row) {
    chosen.push_back(reduced[static_cast<size_t>((2 * row + 1) * count / (2 * std::min(rows, count)))]);
  }
  return chosen;
}

/// A picture of some frames, or a video of all.
void write_heatmap(const HeatmapCommand& command, const Trace& trace, VideoReader& video) {
  const VideoInfo& info = video.info();
  const auto places = place_frames(trace, info.frames);
  const HeatmapPainter painter(trace, {info.height, info.width});
  if (!has_picture_name(command.output)) {
    const auto writer = make_video_writer(command.output, video_format(painter.size(), info.fps), VideoEncoding{},
                                          VideoExtras{}, command.existing());
    while (video.advance()) writer->write(painter.paint({current_frame(video, places)}).unsqueeze(0));
    return writer->finish();
  }
  const std::vector<int64_t> chosen = frames_of_sheet(trace, places, command.rows);
  std::vector<HeatmapFrame> frames;
  while (frames.size() < chosen.size() && video.advance()) {
    if (video.index() == chosen[frames.size()]) frames.push_back(current_frame(video, places));
  }
  write_image(command.output, painter.paint(frames), "", command.existing());
}

/// Warns when trace and video say how they were made and that is not the same.
void check_same_run(const Trace& trace, const std::string& video) {
  const auto provenance = read_provenance(video);
  if (!provenance || trace.settings_json.empty()) return;
  const auto apart = settings_apart(trace.settings_json, provenance->settings_json);
  if (apart.empty()) return;
  log::warn("{} is not of the run of {}: they differ in {}", trace.origin, video, fmt::join(apart, ", "));
}

int run_heatmap(const HeatmapCommand& command) {
  constexpr int64_t kMaxRows = 32;
  if (command.rows < 1 || command.rows > kMaxRows) {
    fail(ErrorKind::usage, fmt::format("--rows {}: expected 1 to {}", command.rows, kMaxRows));
  }
  check_writable(command.output, command.existing());
  if (has_picture_name(command.output)) check_image_output(command.output);
  const Trace trace = read_trace(command.trace);
  VideoReader video(command.video);
  check_same_run(trace, command.video);
  write_heatmap(command, trace, video);
  if (command.json) {
    print_result(json_text(nlohmann::json{{"command", "heatmap"}, {"file", command.output}}) + "\n");
  } else {
    print_path(command.output);
  }
  return 0;
}

}  // namespace

Command add_heatmap(CLI::App& app) {
  CLI::App* command = app.add_subcommand("heatmap", "scores and pruned tokens of a run, drawn on its video");
  const auto options = std::make_shared<HeatmapCommand>();
  command->add_option("TRACE", options->trace, "")->required();
  command->add_option("VIDEO", options->video, "")->required();
  command->add_option("-o,--output", options->output, "a video, or a picture of some frames")
      ->required()
      ->type_name("FILE")
      ->group(kScreenGroup)
      ->envname("FASTSTAR_OUTPUT");
  add_command_option(*command, "rows", options->rows, "N", "frames in a picture (4)");
  add_command_option(*command, "overwrite", options->overwrite, "", "replace a file that exists");
  add_command_option(*command, "json", options->json, "", "print the result as JSON");
  return {command, [options] { return run_heatmap(*options); }};
}

}  // namespace faststar
