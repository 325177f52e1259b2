#include <cmath>

#include "core/media/sample_media.h"
#include "core/media/video_writer.h"
#include "support/support.h"

namespace faststar {
namespace {
namespace fs = std::filesystem;

constexpr int kRate = 8000;  // samples a second

/// Rising whole numbers, so that each sample tells when it was: `seconds` of 16-bit mono sound.
std::string counting_samples(int seconds) {
  std::string samples;
  for (int i = 0; i < seconds * kRate; ++i) {
    samples += static_cast<char>(i & 0xff);
    samples += static_cast<char>(i >> 8 & 0xff);
  }
  return samples;
}

/// Two seconds of frames with `sound`, without loss.
void write_with_sound(const fs::path& path, const std::shared_ptr<const SoundTrack>& sound) {
  const auto writer =
      make_video_writer(path, {.width = 64, .height = 48}, {.lossless = true}, {"", sound}, Existing::refuse);
  writer->write(test::numbered_frames(32));
  writer->finish();
}

/// A four-second counting sound beside two seconds of frames.
fs::path make_source(const test::TempDir& folder) {
  test::write_wav(folder / "sound.wav", counting_samples(4), kRate);
  write_with_sound(folder / "source.mkv", read_sound({folder / "sound.wav", 0, 4}, folder / "source.mkv"));
  return folder / "source.mkv";
}

/// All samples of a file's sound.
std::string samples_of(const fs::path& path) {
  const auto input = ffmpeg::open_input(path);
  REQUIRE(avformat_find_stream_info(input.get(), nullptr) >= 0);
  const int stream = av_find_best_stream(input.get(), AVMEDIA_TYPE_AUDIO, -1, -1, nullptr, 0);
  std::string samples;
  const auto packet = ffmpeg::make_packet();
  while (av_read_frame(input.get(), packet.get()) >= 0) {
    if (packet->stream_index == stream) samples.append(reinterpret_cast<const char*>(packet->data), packet->size);
    av_packet_unref(packet.get());
  }
  return samples;
}

}  // namespace

TEST_CASE("sound is copied bit for bit, from where the part begins to where it ends", "[media]") {
  if (!test::can_read("wav")) return;
  const test::TempDir folder;
  const fs::path source = make_source(folder);
  CHECK(samples_of(source) == counting_samples(4));
  write_with_sound(folder / "part.mkv", read_sound({source, 1, 2}, folder / "part.mkv"));
  const std::string part = samples_of(folder / "part.mkv");
  const size_t begin = counting_samples(4).find(part);
  REQUIRE(begin != std::string::npos);
  // Packets are kept whole: a part is right to the length of one.
  constexpr double kPacket = 0.2;
  const auto seconds = [](size_t bytes) { return static_cast<double>(bytes) / (2 * kRate); };
  CHECK(std::abs(seconds(begin) - 1) < kPacket);
  CHECK(std::abs(seconds(part.size()) - 2) < kPacket);
}

TEST_CASE("a file without sound has none, without a word", "[media]") {
  const test::TempDir folder;
  test::write_video(folder / "silent.mkv", test::numbered_frames(4), {.lossless = true});
  CHECK(read_sound({folder / "silent.mkv", 0, 1}, folder / "part.mkv") == nullptr);
}

TEST_CASE("a second sound track and subtitles are dropped with one line", "[media]") {
  if (!test::can_read("wav")) return;
  const test::TempDir folder;
  const fs::path one = make_source(folder);
  const auto input = ffmpeg::open_streams(one);
  {
    const auto output = ffmpeg::open_output(folder / "two.mkv", "matroska");
    for (const unsigned from : {0U, 1U, 1U}) {
      AVStream* stream = avformat_new_stream(output.get(), nullptr);
      REQUIRE(avcodec_parameters_copy(stream->codecpar, input->streams[from]->codecpar) >= 0);
      stream->time_base = input->streams[from]->time_base;
    }
    AVStream* subtitles = avformat_new_stream(output.get(), nullptr);
    subtitles->codecpar->codec_type = AVMEDIA_TYPE_SUBTITLE;
    subtitles->codecpar->codec_id = AV_CODEC_ID_TEXT;
    subtitles->time_base = {1, 1000};
    REQUIRE(avformat_write_header(output.get(), nullptr) >= 0);
    const auto packet = ffmpeg::make_packet();
    while (av_read_frame(input.get(), packet.get()) >= 0) {
      if (packet->stream_index == 1) {
        const ffmpeg::PacketPtr again(av_packet_clone(packet.get()));
        again->stream_index = 2;
        REQUIRE(av_interleaved_write_frame(output.get(), again.get()) >= 0);
      }
      REQUIRE(av_interleaved_write_frame(output.get(), packet.get()) >= 0);
    }
    REQUIRE(av_write_trailer(output.get()) >= 0);
  }
  const test::CollectWarnings warnings;
  CHECK(read_sound({folder / "two.mkv", 0, 2}, folder / "part.mkv") != nullptr);
  CHECK(warnings.lines().size() == 1);
  CHECK(warnings.has("two.mkv: dropped: 1 other sound track and 1 subtitle track"));
  drop_sound(folder / "two.mkv", "nobody hears it");
  CHECK(warnings.lines().size() == 3);
  CHECK(warnings.has("two.mkv: sound dropped: nobody hears it"));
}

TEST_CASE("sound that the container cannot hold, or that lies elsewhere, is dropped with one line", "[media]") {
  if (!test::can_read("wav")) return;
  const test::TempDir folder;
  const fs::path source = make_source(folder);
  const test::CollectWarnings warnings;
  CHECK(read_sound({source, 0, 2}, folder / "part.mp4") == nullptr);
  CHECK(warnings.has("pcm_s16le cannot be stored in .mp4"));
  CHECK(read_sound({source, 10, 2}, folder / "part.mkv") == nullptr);
  CHECK(warnings.has("there is none in the part that is kept"));
  CHECK(warnings.lines().size() == 2);
}

}  // namespace faststar
