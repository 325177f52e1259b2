#include "core/media/sample_media.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "core/base/weights/safetensors.h"
#include "core/media/colour.h"
#include "core/media/picture_bytes.h"
#include "support/support.h"

namespace faststar::test {
namespace fs = std::filesystem;
namespace {

// Any libav failure while preparing a test is the test's.
void must(int code) {
  if (code < 0) throw std::runtime_error("libav failed while a test made its input");
}

void write_packets(AVFormatContext& output, AVCodecContext& codec, const AVFrame* frame) {
  must(avcodec_send_frame(&codec, frame));
  const auto packet = ffmpeg::make_packet();
  while (avcodec_receive_packet(&codec, packet.get()) >= 0) {
    // mp4 would cut off a last frame that is shown for no time.
    if (packet->duration == 0 && std::string_view(output.oformat->name) == "mp4") packet->duration = 20;
    av_packet_rescale_ts(packet.get(), codec.time_base, output.streams[0]->time_base);
    must(av_interleaved_write_frame(&output, packet.get()));
  }
}

ffmpeg::CodecPtr open_encoder(const char* name, AVPixelFormat format, const Tensor& frames, const VideoRecipe& recipe) {
  auto codec = ffmpeg::make_encoder(name, "");
  codec->width = static_cast<int>(frames.size(2));
  codec->height = static_cast<int>(frames.size(1));
  codec->pix_fmt = format;
  codec->time_base = {1, 1000};
  codec->gop_size = codec->keyint_min = recipe.keyframe_interval;
  codec->max_b_frames = recipe.b_frames;
  codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  ffmpeg::Options options;
  options.set("x264-params", std::string("scenecut=0:b-adapt=0:open-gop=") + (recipe.open_gop ? "1" : "0"));
  must(avcodec_open2(codec.get(), codec->codec, options.get()));
  return codec;
}

void write_encoded_frames(const fs::path& path, const Tensor& frames, const std::vector<int64_t>& times_ms,
                          AVCodecContext& codec, const VideoRecipe& recipe) {
  const auto output = ffmpeg::open_output(path, recipe.container);
  AVStream* stream = avformat_new_stream(output.get(), nullptr);
  must(avcodec_parameters_from_context(stream->codecpar, &codec));
  stream->time_base = codec.time_base;
  ffmpeg::Options options;
  if (recipe.without_index != nullptr) options.set(recipe.without_index, "1");
  must(avformat_write_header(output.get(), options.get()));
  const AVColorRange range = codec.pix_fmt == AV_PIX_FMT_BGR0 ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
  FromRgb from_rgb(codec.width, codec.height, {codec.pix_fmt, range});
  for (size_t i = 0; i < times_ms.size(); ++i) {
    const auto picture = from_rgb(frames[static_cast<int64_t>(i)].const_data_ptr<uint8_t>());
    picture->pts = times_ms[i];
    write_packets(*output, codec, picture.get());
  }
  write_packets(*output, codec, nullptr);
  must(av_write_trailer(output.get()));
}

/// `there`; a line in the output when it is false.
bool or_say(bool there, const std::string& lack) {
  if (!there) WARN("not run: this FFmpeg " << lack);
  return there;
}

}  // namespace

Tensor numbered_frames(int64_t count, int64_t height, int64_t width) {
  const Tensor values = (at::arange(count) * 8 + 16).to(at::kByte);
  return values.view({count, 1, 1, 1}).expand({count, height, width, 3}).contiguous();
}

int64_t number_of(const Tensor& pixels) {
  return static_cast<int64_t>(std::round((pixels.to(at::kDouble).mean().item<double>() - 16) / 8));
}

Tensor moving_frames(int64_t count, int64_t height, int64_t width) {
  const Tensor texture = noise_frames(1, height, width)[0];
  std::vector<Tensor> frames;
  for (int64_t i = 0; i < count; ++i) frames.push_back(texture.roll(-i, 1));
  return at::stack(frames);
}

Tensor plain(int red, int green, int blue, int64_t height, int64_t width) {
  return at::tensor({red, green, blue}, at::kByte).expand({height, width, 3}).contiguous();
}

Tensor noise_frames(int64_t count, int64_t height, int64_t width) {
  return (seeded_randn({count, height, width, 3}, 7) * 60 + 128).clamp(0, 255).to(at::kByte);
}

int largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  return (a.to(at::kInt) - b.to(at::kInt)).abs().max().item<int>();
}

void write_video(const fs::path& path, const Tensor& frames, const VideoEncoding& encoding,
                 const std::string& comment) {
  const VideoFormat format{.width = static_cast<int>(frames.size(2)), .height = static_cast<int>(frames.size(1))};
  const auto writer = make_video_writer(path, format, encoding, {comment, {}}, Existing::refuse);
  writer->write(frames);
  writer->finish();
}

void write_uneven_video(const fs::path& path, const Tensor& frames, const std::vector<int64_t>& times_ms) {
  const VideoRecipe recipe{.container = "matroska"};
  write_encoded_frames(path, frames, times_ms, *open_encoder("ffv1", AV_PIX_FMT_BGR0, frames, recipe), recipe);
}

void write_by_recipe(const fs::path& path, const Tensor& frames, const std::vector<int64_t>& times_ms,
                     const VideoRecipe& recipe) {
  write_encoded_frames(path, frames, times_ms, *open_encoder("libx264", AV_PIX_FMT_YUV420P, frames, recipe), recipe);
}

void write_pictures(const fs::path& path, const std::vector<ffmpeg::FramePtr>& pictures, const PictureVideo& recipe) {
  const AVFrame& first = *pictures.front();
  const auto codec = ffmpeg::make_encoder(recipe.encoder, "");
  codec->width = first.width;
  codec->height = first.height;
  codec->pix_fmt = static_cast<AVPixelFormat>(first.format);
  codec->time_base = recipe.time_base;
  codec->color_trc = first.color_trc;
  codec->color_primaries = first.color_primaries;
  codec->colorspace = first.colorspace;
  codec->color_range = first.color_range;
  codec->sample_aspect_ratio = first.sample_aspect_ratio;
  codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  if (recipe.set_up) recipe.set_up(*codec);
  must(avcodec_open2(codec.get(), codec->codec, nullptr));
  const auto output = ffmpeg::open_output(path, recipe.container);
  AVStream* stream = avformat_new_stream(output.get(), nullptr);
  must(avcodec_parameters_from_context(stream->codecpar, codec.get()));
  stream->time_base = codec->time_base;
  stream->sample_aspect_ratio = codec->sample_aspect_ratio;
  if (recipe.set_up_file) recipe.set_up_file(*output);
  must(avformat_write_header(output.get(), nullptr));
  for (const auto& picture : pictures) write_packets(*output, *codec, picture.get());
  write_packets(*output, *codec, nullptr);
  must(av_write_trailer(output.get()));
}

void write_encoded(const fs::path& path, const char* name, const AVFrame& picture) {
  const auto codec = ffmpeg::make_encoder(name, "");
  codec->width = picture.width;
  codec->height = picture.height;
  codec->pix_fmt = static_cast<AVPixelFormat>(picture.format);
  codec->time_base = {1, 1};
  codec->sample_aspect_ratio = picture.sample_aspect_ratio;
  ffmpeg::Options options;
  options.set("lossless", "1");  // libwebp
  must(avcodec_open2(codec.get(), codec->codec, options.get()));
  const auto packet = ffmpeg::make_packet();
  must(avcodec_send_frame(codec.get(), &picture));
  must(avcodec_send_frame(codec.get(), nullptr));
  must(avcodec_receive_packet(codec.get(), packet.get()));
  write_text(path, {reinterpret_cast<const char*>(packet->data), static_cast<size_t>(packet->size)});
}

void write_wav(const fs::path& path, const std::string& samples, uint32_t rate) {
  const auto little = [](uint32_t value, int bytes) { return number(value, bytes, /*little=*/true); };
  const auto size = static_cast<uint32_t>(samples.size());
  const std::string format =
      little(1, 2) + little(1, 2) + little(rate, 4) + little(2 * rate, 4) + little(2, 2) + little(16, 2);
  write_text(path,
             "RIFF" + little(36 + size, 4) + "WAVEfmt " + little(16, 4) + format + "data" + little(size, 4) + samples);
}

bool can_encode(const char* name) {
  return or_say(avcodec_find_encoder_by_name(name) != nullptr, fmt::format("has no {} encoder", name));
}

bool can_decode(const char* name) {
  return or_say(avcodec_find_decoder_by_name(name) != nullptr, fmt::format("has no {} decoder", name));
}

bool can_read(const char* format) {
  return or_say(av_find_input_format(format) != nullptr, fmt::format("does not read {}", format));
}

bool can_write(const char* format) {
  return or_say(av_guess_format(format, nullptr, nullptr) != nullptr, fmt::format("does not write {}", format));
}

bool can_make(const std::string& video) {
  try {
    check_video_output(video, {.width = 64, .height = 48}, {});
  } catch (const Error& error) {
    return or_say(false, fmt::format("makes no {}: {}", video, error.what()));
  }
  return true;
}

Tensor golden_image(const std::string& name) {
  const auto file = open_safetensors(golden_dir() / "images.safetensors");
  return file->read(name, file->tensors().at(name), at::kCPU).clone();
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(".claim")) names.push_back(name);  // of a request that still lives
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace faststar::test
