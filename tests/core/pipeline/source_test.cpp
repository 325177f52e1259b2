// Videos that start from a picture or go on from a video.
#include "core/pipeline/source.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/media/frame_source.h"
#include "core/media/image.h"
#include "core/media/sample_media.h"
#include "core/media/video_reader.h"
#include "core/model/pyramid/codes.h"
#include "core/pipeline/codes_file.h"
#include "core/pipeline/small_request.h"

namespace faststar {
namespace {
namespace fs = std::filesystem;
using test::error_of;

/// A picture of another shape than the video's.
fs::path write_picture(const test::TempDir& folder) {
  const fs::path path = folder / "picture.png";
  write_image(path, test::noise_frames(1, 100, 120)[0], "", Existing::refuse);
  return path;
}

/// 40 frames at 16 a second: a little more than the clip of 33 that the tiny preset goes on from.
fs::path write_source_video(const test::TempDir& folder) {
  const fs::path path = folder / "source.mp4";
  test::write_video(path, test::numbered_frames(40, 192, 336));
  return path;
}

Tensor frame(const fs::path& folder, int index) { return read_image(folder / fmt::format("{:06}.png", index)); }

/// The frames that the source's own codes decode to.
Tensor frames_of_source(const Request& job) {
  Model model(job.setup);
  const Schedule schedule =
      make_schedule(job.size.aspect_key, job.size.pn, static_cast<int>(job.source->latents), job.size.latents_per_clip);
  const Repetitions& repetitions = job.generation.repetitions;
  const VideoVae& vae = model.vae(VaeParts::encoder_and_decoder);
  const Tensor pixels = read_source(*job.source, job.size).to(model.device());
  const auto bits = condition_bits(Pipeline(model).encode(pixels), schedule, repetitions, job.detail_scale_min_tokens);
  std::vector<Tensor> frames;
  vae.decode(accumulated_features(bits, schedule, repetitions),
             [&](const Tensor& decoded) { frames.push_back(to_frames(decoded)); });
  return at::cat(frames).cpu();
}

}  // namespace

TEST_CASE("sound that --only-new leaves out, or a folder of frames cannot hold, is dropped with one line", "[engine]") {
  if (!test::can_read("wav")) return;
  const test::TempDir folder;
  const std::string header(
      "RIFF\x64\x1f\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\x40\x1f\0\0", 44);
  test::write_text(folder / "sound.wav", header + std::string(8000, '\0'));  // what matters of a video here
  Request request;
  request.task = Task::video_to_video;
  const bool only_new = GENERATE(false, true);
  request.source = SourceClip{.file = folder / "sound.wav", .only_new = only_new};
  request.outputs.push_back({.file = only_new ? "new.mp4" : "frames/"});
  const test::CollectWarnings warnings;
  CHECK(read_source_sound(request) == nullptr);
  CHECK(warnings.lines().size() == 1);
  CHECK(warnings.has(only_new ? "sound dropped: it belongs to the part that --only-new leaves out"
                              : "sound dropped: a folder of frames holds none"));
}

TEST_CASE("a video given as the picture lends its first frame, and that is said", "[engine]") {
  const test::TempDir folder;
  const test::CollectWarnings warnings;
  const Tensor pixels = read_source({.file = write_source_video(folder), .latents = 1}, {.height = 192, .width = 336});
  CHECK(pixels.sizes() == at::IntArrayRef{1, 3, 1, 192, 336});
  CHECK(warnings.has("this is a video, only its first frame is used"));
}

TEST_CASE("frame 0 of a video from a picture is the picture's own codes, decoded", "[engine]") {
  const auto device = GENERATE(from_range(test::test_devices()));
  const test::TempDir folder;
  const test::CollectWarnings not_its_own_picture;
  const Request job = test::small_request(folder, device,
                                          {{"image", write_picture(folder).string()},
                                           {"first_frame", "keep"},
                                           {"precision", "fp32"},
                                           {"frames_dir", (folder / "frames").string()}},
                                          Task::image_to_video);
  test::make(job);
  CHECK(test::names_in(folder / "frames").size() == 17);
  const auto levels_apart = [&](int number) {
    return (frame(folder / "frames", number).to(at::kFloat) - frames_of_source(job)[0].to(at::kFloat)).abs().mean();
  };
  // A GPU's library chooses convolutions by the memory that is free: near a tie some bits of the picture's codes flip.
  CHECK(levels_apart(0).item<double>() <= (device.is_cuda() ? levels_apart(1).item<double>() / 3 : 0));
  CHECK(levels_apart(1).item<double>() > 1);
}

TEST_CASE("a video goes on from another: its frames first, as its codes decode, then new ones", "[engine]") {
  const test::TempDir folder;
  const test::CollectWarnings untrained_length;
  const Request job = test::small_request(folder, at::kCPU,
                                          {{"video", write_source_video(folder).string()},
                                           {"duration", "3"},
                                           {"first_frame", "keep"},
                                           {"frames_dir", (folder / "frames").string()}},
                                          Task::video_to_video);
  test::make(job);
  CHECK(test::names_in(folder / "frames").size() == 49);
  const Tensor source = frames_of_source(job);
  REQUIRE(source.size(0) == 33);
  for (const int index : {0, 1, 16, 32}) CHECK(test::same(frame(folder / "frames", index), source[index]));
}

TEST_CASE("the source's part can be left out", "[engine]") {
  const test::TempDir folder;
  const test::CollectWarnings untrained_length;
  const FieldTexts flags = {{"video", write_source_video(folder).string()}, {"duration", "3"}, {"lossless", "true"}};
  FieldTexts whole = flags;
  whole.merge(FieldTexts{{"output", (folder / "whole.mkv").string()}});
  FieldTexts rest = flags;
  rest.merge(FieldTexts{{"output", (folder / "rest.mkv").string()}, {"only_new", "true"}});
  test::make(test::small_request(folder, at::kCPU, whole, Task::video_to_video));
  test::make(test::small_request(folder, at::kCPU, rest, Task::video_to_video));
  VideoReader joined(folder / "whole.mkv");
  VideoReader fresh(folder / "rest.mkv");
  CHECK(joined.info().frames == 49);
  REQUIRE(fresh.info().frames == 16);
  const auto as_is = [](const Tensor& pixels) { return pixels; };
  CHECK(test::same(frames_at(joined, {33, 48}, as_is), frames_at(fresh, {0, 15}, as_is)));
}

TEST_CASE("frames are chosen as the official script does, or by time where the rate varies", "[engine]") {
  const test::TempDir folder;
  const VideoSize size{.height = 48, .width = 64};
  const auto numbers = [&](const fs::path& file, double start) {
    const Tensor pixels = read_source({.file = file, .start = start, .latents = 5}, size);
    std::vector<int64_t> found;
    for (const Tensor& shown : ((pixels[0] + 1) * 127.5).round().to(at::kByte).unbind(1)) {
      found.push_back(test::number_of(shown.permute({1, 2, 0})));
    }
    return found;
  };
  test::write_video(folder / "even.mp4", test::numbered_frames(28));
  // 17 frames of one second at 16 a second: the end is exclusive, so the last frame comes twice.
  CHECK(numbers(folder / "even.mp4", 0) ==
        std::vector<int64_t>{0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15});
  CHECK(numbers(folder / "even.mp4", 0.5).front() == 8);
  std::vector<int64_t> times;
  for (int64_t i = 0; i < 20; ++i) times.push_back(i < 10 ? i * 20 : 200 + (i - 10) * 125);
  test::write_uneven_video(folder / "uneven.mkv", test::numbered_frames(20), times);
  const auto uneven = numbers(folder / "uneven.mkv", 0);
  CHECK(uneven[1] == 3);   // 62.5 ms: the frame of 60 ms
  CHECK(uneven[4] == 10);  // 250 ms
  CHECK(uneven[16] == 16);
}

TEST_CASE("a video that is too short is refused with both lengths", "[engine]") {
  const test::TempDir folder;
  test::write_video(folder / "short.mp4", test::numbered_frames(16));
  const VideoSize size{.height = 48, .width = 64};
  const Error error = error_of([&] { read_source({.file = folder / "short.mp4", .latents = 9}, size); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK(std::string(error.what()).find("at least 2 s") != std::string::npos);
  CHECK(std::string(error.what()).find("1.00 s") != std::string::npos);
}

TEST_CASE("a picture given as the video is called one", "[engine]") {
  const test::TempDir folder;
  const Error error =
      error_of([&] { read_source({.file = write_picture(folder), .latents = 9}, {.height = 48, .width = 64}); });
  CHECK(error.kind() == ErrorKind::input);
  CHECK(test::says(error, "picture.png: this is a picture, expected a video"));
}

TEST_CASE("a preview shows the whole video before it is made and leaves the result as it is", "[engine]") {
  const test::TempDir folder;
  FieldTexts with_preview = test::exact_output(folder / "with.mkv");
  with_preview["preview"] = (folder / "preview.mp4").string();
  test::make(test::small_request(folder, at::kCPU, std::move(with_preview)));
  test::make(test::small_request(folder, at::kCPU, test::exact_output(folder / "without.mkv")));
  VideoReader preview(folder / "preview.mp4"), whole(folder / "without.mkv");
  CHECK(preview.info().frames == 17);
  CHECK(test::read_text(folder / "with.mkv") == test::read_text(folder / "without.mkv"));
  while (preview.advance() && whole.advance()) {
  }
  const Tensor difference = preview.pixels().to(at::kFloat) - whole.pixels().to(at::kFloat);
  CHECK(difference.abs().mean().item<float>() > 10);  // more than H.264 loses
}

}  // namespace faststar
