#include "core/media/video_kind.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "core/base/utf8.h"
#include "core/media/filter.h"

namespace faststar {
namespace fs = std::filesystem;
namespace {

constexpr StoredColour kYuv420 = {AV_PIX_FMT_YUV420P, AVCOL_RANGE_MPEG};
constexpr const char* kH264 = "libx264";
constexpr const char* kWithoutH264 = "--lossless and --frames-dir DIR work without it";

constexpr std::array<VideoKind, 6> kKinds = {{
    {".mp4", "mp4", {kH264}, kYuv420, kWithoutH264, true, true, true},
    {".mkv", "matroska", {kH264}, kYuv420, kWithoutH264, true, true, true},
    {".mov", "mov", {kH264}, kYuv420, kWithoutH264, true, true, true},
    {".webm", "webm", {"libvpx-vp9", "libsvtav1", "libaom-av1"}, kYuv420, "-o NAME.mp4", false, true, true},
    {".webp", "webp", {"libwebp_anim"}, kYuv420, "-o NAME.gif or NAME.mp4", false, true, false},
    {".gif", "gif", {"gif"}, {AV_PIX_FMT_RGB32, AVCOL_RANGE_JPEG}, "-o NAME.webp or NAME.mp4", false, false, false},
}};

// FFV1 stores RGB; only the order of the bytes changes.
constexpr VideoKind kLossless = {
    ".mkv", "matroska", {"ffv1"}, {AV_PIX_FMT_BGR0, AVCOL_RANGE_JPEG}, "--frames-dir DIR works without it",
    false,  false,      true};

std::string suffixes() {
  std::vector<std::string_view> all;
  for (const VideoKind& kind : kKinds) all.emplace_back(kind.suffix);
  return fmt::format("{} or {}", fmt::join(all.begin(), all.end() - 1, ", "), all.back());
}

/// Frames that libx264 looks ahead. It holds back as many, and encodes them only when the last frame has come: with the
/// 40 of preset medium, half of an 81-frame video would wait for the decoder's end. Measured on 81 frames of 720p, crf
/// 17 (a synthetic scene in motion): 10 instead of 40 cost 0.07 dB and saved 12 % of the file and of the CPU time.
constexpr const char* kLookahead = "10";

/// True for presets that look farther ahead than that and still are not chosen to wait for.
bool hurries(H264Preset preset) { return preset > H264Preset::veryfast && preset <= H264Preset::medium; }

void set_h264_options(const VideoEncoding& encoding, ffmpeg::Options& options) {
  options.set("preset", std::string(kH264Presets[static_cast<size_t>(encoding.preset)]));
  options.set("crf", std::to_string(encoding.crf));
  if (hurries(encoding.preset)) options.set("rc-lookahead", kLookahead);
}

/// VP9 and AV1 count quality from 0 to 63 where H.264 counts to 51.
void set_webm_options(std::string_view encoder, const VideoEncoding& encoding, ffmpeg::Options& options) {
  options.set("crf", std::to_string(std::lround(encoding.crf * 63.0 / 51.0)));
  options.set("b", "0");  // by quality alone
  if (encoder == "libsvtav1") {
    options.set("preset", "8");
  } else {
    options.set("cpu-used", encoder == "libaom-av1" ? "6" : "2");
    options.set("row-mt", "1");
  }
}

}  // namespace

const VideoKind& video_kind(const fs::path& video, const VideoEncoding& encoding) {
  const auto kind = std::ranges::find(kKinds, lower_extension(video), &VideoKind::suffix);
  if (kind == kKinds.end() && !encoding.lossless) {
    fail(ErrorKind::usage, fmt::format("{}: expected a name that ends in {}", video.string(), suffixes()));
  }
  if (!encoding.lossless) return *kind;
  if (kind != kKinds.end() && std::string_view(kind->suffix) == kLossless.suffix) return kLossless;
  fail(ErrorKind::usage, fmt::format("{}: lossless video needs a name that ends in .mkv", video.string()),
       "-o " + shell_quoted(fs::path(video).replace_extension(".mkv").string()));
}

bool needs_palette(const VideoKind& kind) { return std::string_view(kind.container) == "gif"; }

ffmpeg::CodecPtr make_encoder(const VideoKind& kind) {
  if (av_guess_format(kind.container, nullptr, nullptr) == nullptr) {
    fail(ErrorKind::output, fmt::format("this FFmpeg cannot write {} files", kind.suffix), kind.instead);
  }
  const auto& filters = ffmpeg::FilterLibrary::system();
  if (needs_palette(kind) && !(filters.has("palettegen") && filters.has("paletteuse"))) {
    fail(ErrorKind::output, "a GIF needs libavfilter with palettegen and paletteuse, which this FFmpeg lacks",
         kind.instead);
  }
  for (const char* name : kind.encoders) {
    if (name != nullptr && avcodec_find_encoder_by_name(name) != nullptr) return ffmpeg::make_encoder(name, "");
  }
  return ffmpeg::make_encoder(kind.encoders[0], kind.instead);
}

void set_encoder_options(const VideoKind& kind, const VideoEncoding& encoding, const AVCodecContext& codec,
                         ffmpeg::Options& options) {
  const std::string_view encoder = codec.codec->name;
  if (encoder == kH264) set_h264_options(encoding, options);
  if (std::string_view(kind.suffix) == ".webm") set_webm_options(encoder, encoding, options);
  if (encoder == "libwebp_anim") options.set("quality", std::to_string(100 - encoding.crf));
}

}  // namespace faststar
