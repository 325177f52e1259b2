#include "core/pipeline/kept_codes.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/model/vae/architecture.h"
#include "core/pipeline/outputs.h"

namespace faststar {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEnding = ".codes.safetensors";

/// "v.codes.safetensors", "v-2.codes.safetensors", ...: the first that does not exist in `folder`. Of a long stem the
/// beginning.
fs::path free_codes_name(const fs::path& folder, const std::string& whole_stem) {
  constexpr size_t kLongestStem = 200;
  const std::string stem(beginning_of(whole_stem, kLongestStem));
  std::error_code ignored;
  fs::path name = folder / (stem + kEnding);
  for (int copy = 2; fs::exists(fs::symlink_status(name, ignored)); ++copy) {
    name = folder / fmt::format("{}-{}{}", stem, copy, kEnding);
  }
  return name;
}

double bytes_of(const SavedCodes& codes) {
  double bytes = 0;
  for (const Tensor& clip : codes.clips) bytes += static_cast<double>(clip.nbytes());
  return bytes;
}

bool has_room(const fs::path& folder, double bytes) {
  std::error_code unknown;  // then writing tells
  const auto available = static_cast<double>(fs::space(folder, unknown).available);
  return unknown || available >= bytes;
}

/// Throws nothing: a video that is made needs no codes.
std::optional<fs::path> keep_codes(const fs::path& video, const SavedCodes& codes, double video_bytes) {
  std::error_code ignored;
  const fs::path named = video.has_filename() ? video : video.parent_path();  // "frames/": a folder of frames
  const fs::path beside = named.has_parent_path() ? named.parent_path() : ".";
  const std::string stem = named.stem().string();
  std::string why;
  for (const fs::path& folder : {beside, fs::temp_directory_path(ignored)}) {
    if (folder.empty() || !has_room(folder, bytes_of(codes) + (folder == beside ? video_bytes : 0))) continue;
    try {
      const fs::path file = free_codes_name(folder, stem);
      write_codes(file, codes, Existing::refuse);
      return file;
    } catch (const std::exception& error) {
      why = error.what();
    }
  }
  log::warn("the codes are not kept until the file is finished: {}", why.empty() ? "the disk is full" : why);
  return std::nullopt;
}

int64_t frames_of(const SavedCodes& codes) {
  int64_t latents = 0;
  for (const Tensor& clip : codes.clips) latents += clip.size(2);
  return frames_of_latents(latents);
}

/// `first_frames`: 0 for codes of the whole video.
std::string kept_text(const fs::path& codes, const std::string& decode_options, int64_t first_frames) {
  const bool all = first_frames == 0;
  return fmt::format("the video is incomplete; its {} were saved: `faststar decode {}{}` {}",
                     all ? "codes" : fmt::format("first {} frames", first_frames), shell_quoted(codes.string()),
                     decode_options, all ? "finishes it" : "writes them");
}

}  // namespace

std::string decode_options(const Request& request, const RequestedOutput& output) {
  const ModelFolder& model = request.setup.model;
  const VideoEncoding& encoding = request.encoding;
  const VideoEncoding& standard = model.preset.settings.config.output.encoding;
  std::string options = " -o " + shell_quoted(output.file.string());
  if (request.existing == Existing::replace) options += " --overwrite";
  if (encoding.lossless) options += " --lossless";
  if (encoding.crf != standard.crf) options += fmt::format(" --crf {}", encoding.crf);
  if (encoding.preset != standard.preset) {
    options += fmt::format(" --preset {}", kH264Presets[static_cast<size_t>(encoding.preset)]);
  }
  if (output.frames_dir) options += " --frames-dir " + shell_quoted(output.frames_dir->string());
  if (!request.metadata) options += " --no-metadata";
  const Precision precision = request.setup.precision;
  if (dtype_of(precision) != dtype_of(default_precision(at::Device(request.setup.device)))) {
    options += fmt::format(" --precision {}", choice_name(precision));
  }
  // decode opens no folder and no file that the codes name.
  if (!model.embedded && !model.folder.empty()) options += " --model " + shell_quoted(model.folder.string());
  const bool finds_preset = model.preset.file == model.layout.preset || !preset_name(model).empty();
  if (!finds_preset) options += " --config " + shell_quoted(model.preset.file.string());
  return options;
}

void keep_finished_clips(const Request& request, const RequestedOutput& output, const SavedCodes& codes) {
  if (const auto file = keep_codes(output.file, codes, ample_bytes(request))) {
    log::warn("{}", kept_text(*file, decode_options(request, output), frames_of(codes)));
  }
}

KeptCodes::KeptCodes(const fs::path& video, SavedCodes codes, double video_bytes, std::string decode_options,
                     Clips clips)
    : decode_options_(std::move(decode_options)), first_frames_(clips == Clips::first ? frames_of(codes) : 0) {
  for (Tensor& clip : codes.clips) clip = clip.cpu();
  file_ = std::async(std::launch::async,
                     [video, codes = std::move(codes), video_bytes, options = decode_options_, frames = first_frames_] {
                       auto file = keep_codes(video, codes, video_bytes);
                       if (file) log::set_parting_words(kept_text(*file, options, frames));
                       return file;
                     });
}

KeptCodes::KeptCodes(const fs::path& file, std::string decode_options)
    : decode_options_(std::move(decode_options)), stays_(true) {
  std::promise<std::optional<fs::path>> written;
  written.set_value(file);
  file_ = written.get_future();
  log::set_parting_words(kept_text(file, decode_options_, first_frames_));
}

void KeptCodes::release() {
  released_ = true;
  std::error_code ignored;
  if (const auto file = file_.get(); file && !stays_) fs::remove(*file, ignored);
  log::set_parting_words("");
}

KeptCodes::~KeptCodes() {
  if (released_) return;
  try {
    if (const auto file = file_.get()) {
      log::warn("{}", kept_text(*file, decode_options_, first_frames_));
    } else {
      log::warn("the video is incomplete, and its codes are lost");
    }
    log::set_parting_words("");
  } catch (...) {  // a line that cannot be written must not hide why the decode failed
  }
}

}  // namespace faststar
