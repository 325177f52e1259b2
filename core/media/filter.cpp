#include "core/media/filter.h"

#include <dlfcn.h>
#include <fmt/format.h>

extern "C" {
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
}

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "core/base/log.h"

namespace faststar::ffmpeg {

/// The functions that are used, as their headers declare them.
struct FilterLibrary::Calls {
  decltype(&avfilter_get_by_name) get_by_name = nullptr;
  decltype(&avfilter_graph_alloc) graph_alloc = nullptr;
  decltype(&avfilter_graph_free) graph_free = nullptr;
  decltype(&avfilter_graph_parse2) graph_parse2 = nullptr;
  decltype(&avfilter_graph_config) graph_config = nullptr;
  decltype(&av_buffersrc_write_frame) source_write = nullptr;
  decltype(&av_buffersink_get_frame) sink_get_frame = nullptr;
  decltype(&av_buffersink_get_time_base) sink_get_time_base = nullptr;
};

namespace {

template <typename Function>
bool load(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

/// The picture format, as the filter called `buffer` wants it.
std::string source_text(const AVFrame& like, AVRational time_base) {
  std::string text = fmt::format("buffer=video_size={}x{}:pix_fmt={}:time_base={}/{}", like.width, like.height,
                                 like.format, time_base.num, time_base.den);
#if LIBAVFILTER_VERSION_MAJOR >= 10  // FFmpeg 7
  text += fmt::format(":colorspace={}:range={}", static_cast<int>(like.colorspace), static_cast<int>(like.color_range));
#endif
  return text;
}

}  // namespace

const FilterLibrary& FilterLibrary::system() {
  static const FilterLibrary library("libavfilter.so." AV_STRINGIFY(LIBAVFILTER_VERSION_MAJOR));
  return library;
}

FilterLibrary::FilterLibrary(const char* file) {
  void* const library = dlopen(file, RTLD_NOW | RTLD_LOCAL);  // stays loaded
  if (library == nullptr) return;
  auto calls = std::make_shared<Calls>();
  const bool complete = load(library, "avfilter_get_by_name", calls->get_by_name) &&
                        load(library, "avfilter_graph_alloc", calls->graph_alloc) &&
                        load(library, "avfilter_graph_free", calls->graph_free) &&
                        load(library, "avfilter_graph_parse2", calls->graph_parse2) &&
                        load(library, "avfilter_graph_config", calls->graph_config) &&
                        load(library, "av_buffersrc_write_frame", calls->source_write) &&
                        load(library, "av_buffersink_get_frame", calls->sink_get_frame) &&
                        load(library, "av_buffersink_get_time_base", calls->sink_get_time_base);
  if (complete) calls_ = std::move(calls);
}

bool FilterLibrary::has(const char* filter) const { return calls_ && calls_->get_by_name(filter) != nullptr; }

void FilterGraph::FreeGraph::operator()(AVFilterGraph* graph) const { calls->graph_free(&graph); }

FilterGraph::FilterGraph(const FilterLibrary& library, const std::string& chain, const AVFrame& like,
                         AVRational time_base, std::string what, ErrorKind failure)
    : what_(std::move(what)),
      failure_(failure),
      width_(like.width),
      height_(like.height),
      format_(like.format),
      time_base_(time_base),
      graph_(library.calls_->graph_alloc(), FreeGraph{library.calls_}) {
  if (!graph_) throw std::bad_alloc();
  const std::string text = fmt::format("{},{},buffersink", source_text(like, time_base), chain);
  AVFilterInOut *open_inputs = nullptr, *open_outputs = nullptr;  // the chain has both ends: none
  check(library.calls_->graph_parse2(graph_.get(), text.c_str(), &open_inputs, &open_outputs), failure_, what_);
  check(library.calls_->graph_config(graph_.get(), nullptr), failure_, what_);
}

void FilterGraph::send(const AVFrame* picture) {
  const auto& calls = *graph_.get_deleter().calls;
  AVFilterContext* const source = graph_->filters[0];
  if (picture == nullptr) {
    check(calls.source_write(source, nullptr), failure_, what_);
    return;
  }
  if (picture->width != width_ || picture->height != height_ || picture->format != format_) {
    fail(failure_, fmt::format("{}: its size changes: expected {}x{}, got {}x{}", what_, width_, height_,
                               picture->width, picture->height));
  }
  const FramePtr sent(av_frame_clone(picture));
  if (!sent) throw std::bad_alloc();
  sent->pts = picture->best_effort_timestamp;
  check(calls.source_write(source, sent.get()), failure_, what_);
}

FramePtr FilterGraph::receive() {
  const auto& calls = *graph_.get_deleter().calls;
  // The parser lists filters in the order of the text; those that convert formats come after them.
  AVFilterContext* sink = nullptr;
  for (unsigned i = 0; i < graph_->nb_filters; ++i) {
    if (graph_->filters[i]->nb_outputs == 0) sink = graph_->filters[i];
  }
  FramePtr picture = make_frame();
  const int code = calls.sink_get_frame(sink, picture.get());
  if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return nullptr;
  check(code, failure_, what_);
  picture->best_effort_timestamp = picture->pts == AV_NOPTS_VALUE
                                       ? AV_NOPTS_VALUE
                                       : av_rescale_q(picture->pts, calls.sink_get_time_base(sink), time_base_);
  return picture;
}

}  // namespace faststar::ffmpeg

namespace faststar {
namespace {

/// How bright the brightest part is, in 100 cd/m2: 0 when the file says it, else what most HDR is made for.
int assumed_peak(const AVFrame& frame) {
  const bool is_told = av_frame_get_side_data(&frame, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL) != nullptr ||
                       av_frame_get_side_data(&frame, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA) != nullptr;
  return is_told ? 0 : 10;
}

/// In linear light of 100 cd/m2: other primaries, then a curve that is straight up to 0.3.
std::string tone_mapping_chain(const AVFrame& frame) {
  return fmt::format(
      "zscale=transfer=linear:npl=100,format=gbrpf32le,zscale=primaries=bt709,"
      "tonemap=tonemap=mobius:desat=0:peak={},zscale=transfer=bt709:matrix=gbr:range=full,format=gbrp",
      assumed_peak(frame));
}

}  // namespace

bool is_interlaced(const AVFrame& frame) {
#ifdef AV_FRAME_FLAG_INTERLACED  // FFmpeg 6.1
  return (frame.flags & AV_FRAME_FLAG_INTERLACED) != 0;
#else
  return frame.interlaced_frame != 0;
#endif
}

void take_field_order(const AVCodecParameters& video, AVFrame& frame) {
  constexpr std::array kSayItself = {AV_CODEC_ID_MPEG1VIDEO, AV_CODEC_ID_MPEG2VIDEO, AV_CODEC_ID_MPEG4,
                                     AV_CODEC_ID_H263,       AV_CODEC_ID_H264,       AV_CODEC_ID_HEVC,
                                     AV_CODEC_ID_VC1,        AV_CODEC_ID_WMV3,       AV_CODEC_ID_DVVIDEO,
                                     AV_CODEC_ID_PRORES,     AV_CODEC_ID_DNXHD,      AV_CODEC_ID_FFV1};
  const bool is_told = video.field_order != AV_FIELD_UNKNOWN && video.field_order != AV_FIELD_PROGRESSIVE;
  if (!is_told || std::ranges::find(kSayItself, video.codec_id) != kSayItself.end()) return;
  const bool top_first = video.field_order == AV_FIELD_TT || video.field_order == AV_FIELD_TB;  // as rawdec.c has it
#ifdef AV_FRAME_FLAG_INTERLACED
  frame.flags |= AV_FRAME_FLAG_INTERLACED | (top_first ? AV_FRAME_FLAG_TOP_FIELD_FIRST : 0);
#else
  frame.interlaced_frame = 1;
  frame.top_field_first = top_first ? 1 : 0;
#endif
}

bool is_hdr(const AVFrame& frame) {
  return frame.color_trc == AVCOL_TRC_SMPTE2084 || frame.color_trc == AVCOL_TRC_ARIB_STD_B67;
}

std::unique_ptr<ffmpeg::FilterGraph> make_deinterlacer(const AVFrame& first, AVRational time_base,
                                                       const std::string& file, const ffmpeg::FilterLibrary& library) {
  if (!library.has("bwdif")) {
    log::warn("{}: interlaced video: moving edges will look like combs, as this FFmpeg has no libavfilter with bwdif",
              file);
    return nullptr;
  }
  return std::make_unique<ffmpeg::FilterGraph>(library, "bwdif=mode=send_frame:deint=interlaced", first, time_base,
                                               fmt::format("{}: cannot deinterlace the video", file));
}

ffmpeg::FramePtr ToneMap::operator()(const AVFrame& frame) {
  ffmpeg::FramePtr picture(av_frame_clone(&frame));
  if (!picture) throw std::bad_alloc();
  if (!is_hdr(frame)) return picture;
  if (!library_.has("zscale") || !library_.has("tonemap")) {
    if (!std::exchange(warned_, true)) {
      log::warn("{}: HDR ({}): colours will look pale, as this FFmpeg has no libavfilter with zscale and tonemap",
                file_, frame.color_trc == AVCOL_TRC_SMPTE2084 ? "PQ" : "HLG");
    }
    return picture;
  }
  if (picture->color_primaries == AVCOL_PRI_UNSPECIFIED) picture->color_primaries = AVCOL_PRI_BT2020;
  if (picture->colorspace == AVCOL_SPC_UNSPECIFIED) picture->colorspace = AVCOL_SPC_BT2020_NCL;
  if (!graph_) {
    graph_ = std::make_unique<ffmpeg::FilterGraph>(library_, tone_mapping_chain(*picture), *picture, AVRational{1, 1},
                                                   fmt::format("{}: cannot tone-map the picture", file_));
  }
  graph_->send(picture.get());
  ffmpeg::FramePtr mapped = graph_->receive();
  if (!mapped) fail(ErrorKind::internal, fmt::format("{}: tone mapping gave no picture", file_));
  return mapped;
}

}  // namespace faststar
