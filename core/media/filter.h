#pragma once
// Included by sources of core/media only.
#include <memory>
#include <string>

#include "core/media/ffmpeg.h"

struct AVFilterGraph;

namespace faststar::ffmpeg {

/// libavfilter. It is loaded when the first video needs it, not linked: Debian's brings some thirty more libraries
/// along, speech synthesis and OpenCL among them, for two kinds of video. Where it is missing, those are read without.
class FilterLibrary {
 public:
  /// The version whose headers this program was built with.
  static const FilterLibrary& system();
  /// The shared library `file`; without any filter when it cannot be loaded.
  explicit FilterLibrary(const char* file);

  bool has(const char* filter) const;

 private:
  friend class FilterGraph;
  struct Calls;
  std::shared_ptr<const Calls> calls_;
};

/// A chain of filters through which pictures of one size and format go.
class FilterGraph {
 public:
  /// `chain` as FFmpeg's command line takes it. Times are in units of `time_base`; `what` begins messages, whose kind
  /// is `failure`.
  FilterGraph(const FilterLibrary& library, const std::string& chain, const AVFrame& like, AVRational time_base,
              std::string what, ErrorKind failure = ErrorKind::input);

  /// Gives it a picture, shown at its best-effort time; nullptr after the last. Throws when its size or format is
  /// another.
  void send(const AVFrame* picture);
  /// The next picture; null when another must be sent first, or after the last.
  FramePtr receive();

 private:
  struct FreeGraph {
    std::shared_ptr<const FilterLibrary::Calls> calls;
    void operator()(AVFilterGraph* graph) const;
  };
  std::string what_;
  ErrorKind failure_;
  int width_, height_, format_;
  AVRational time_base_;
  std::unique_ptr<AVFilterGraph, FreeGraph> graph_;
};

}  // namespace faststar::ffmpeg

namespace faststar {

bool is_interlaced(const AVFrame& frame);
/// Marks a frame as interlaced when its container says so and its codec has no word for that (HuffYUV, MJPEG, ...).
void take_field_order(const AVCodecParameters& video, AVFrame& frame);
/// True for pictures of high dynamic range: PQ or HLG.
bool is_hdr(const AVFrame& frame);

/// Makes whole pictures of interlaced ones and leaves others alone; null, with a warning, where `library` cannot.
std::unique_ptr<ffmpeg::FilterGraph> make_deinterlacer(
    const AVFrame& first, AVRational time_base, const std::string& file,
    const ffmpeg::FilterLibrary& library = ffmpeg::FilterLibrary::system());

/// Maps pictures of high dynamic range to BT.709, 100 cd/m2 and BT.2408's white of 203 cd/m2 to 0.83 and 0.92 of its
/// range. Others are returned as they are, as all are, with one warning, where `library` cannot.
class ToneMap {
 public:
  explicit ToneMap(std::string file, const ffmpeg::FilterLibrary& library = ffmpeg::FilterLibrary::system())
      : file_(std::move(file)), library_(library) {}
  ffmpeg::FramePtr operator()(const AVFrame& frame);

 private:
  std::string file_;  // as messages name it
  const ffmpeg::FilterLibrary& library_;
  std::unique_ptr<ffmpeg::FilterGraph> graph_;
  bool warned_ = false;
};

}  // namespace faststar
