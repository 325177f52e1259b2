#include "core/model/pyramid/schedule.h"

#include "core/model/vae/architecture.h"
#include "support/support.h"

namespace faststar {
namespace {

constexpr double kLandscape = 0.562;

int64_t token_sum(const Schedule& schedule) {
  int64_t sum = 0;
  for (const Scale& scale : schedule.scales()) sum += scale.tokens();
  return sum;
}

TEST_CASE("the 720p schedule has the official scales and token counts", "[pyramid]") {
  const Schedule schedule = make_schedule(kLandscape, "0.90M", 21, 20);
  CHECK(schedule.scales().size() == 30);
  CHECK(schedule.scales_per_clip() == 15);
  CHECK(token_sum(schedule) == 157479);
  CHECK(schedule.full_scale(1) == Scale{20, 45, 80});
  CHECK(frames_of_latents(schedule.latent_frames()) == 81);
}

TEST_CASE("a video clip refers to the last scale of the clip before, an image clip to nothing", "[pyramid]") {
  const Schedule schedule = make_schedule(kLandscape, "0.40M", 41, 20);
  CHECK_FALSE(schedule.reference_of(13).has_value());
  CHECK(schedule.reference_of(14) == 13);
  CHECK(schedule.reference_of(41) == 27);
  CHECK(schedule.frames_of(0).end == 1);
  CHECK(schedule.frames_of(2).begin == 21);
  CHECK(schedule.frames_of(2).end == 41);
}

TEST_CASE("steps count repetitions over the whole run", "[pyramid]") {
  const Schedule schedule = make_schedule(kLandscape, "0.90M", 21, 20);
  const Repetitions repetitions{std::vector<int>(15, 3), {3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 1, 1}};
  const auto steps = schedule.steps(repetitions);
  CHECK(steps.size() == 85);
  CHECK(steps.back().index == 84);
  CHECK(steps[81].scale == 15 + 12);
  CHECK(steps[81].repetition == 0);
  CHECK_FALSE(steps[81].last_repetition);
  CHECK(steps[82].last_repetition);
}

TEST_CASE("a last clip that is not full keeps its own length", "[pyramid]") {
  const Schedule schedule = make_schedule(kLandscape, "0.40M", 25, 20);  // 6 s
  CHECK(schedule.clips() == 3);
  CHECK(schedule.full_scale(1).t == 20);
  CHECK(schedule.full_scale(2).t == 4);
  CHECK(schedule.latent_frames() == 25);
}

TEST_CASE("aspect templates are searched in the official order", "[pyramid]") {
  CHECK(aspect_keys() == std::vector<double>{1.0, 0.861, 1.16, 0.753, 1.326, 0.671, 1.489, 0.562, 1.777, 0.494, 2.023,
                                             0.4, 2.5, 0.336, 2.971});
  CHECK(nearest_aspect_key(0.571) == 0.562);
  CHECK(nearest_aspect_key(16.0 / 9) == 1.777);
  CHECK(nearest_aspect_key(100) == 2.971);
}

TEST_CASE("wrong repetition lists and sizes are usage errors that name what was expected", "[pyramid]") {
  const Schedule schedule = make_schedule(kLandscape, "0.06M", 5, 20);
  const std::vector<int> right(11, 1);
  const Error short_list = test::error_of([&] { schedule.steps({right, {1, 2}}); });
  CHECK(short_list.kind() == ErrorKind::usage);
  CHECK(std::string(short_list.what()) == "video_repetitions: expected 11 entries (one per scale), got 2");
  CHECK_THROWS_AS(schedule.steps({std::vector<int>(11, 0), right}), Error);
  CHECK_THROWS_AS(image_scales(kLandscape, "2M"), Error);
  CHECK_THROWS_AS(image_scales(0.9, "0.06M"), Error);
  CHECK_THROWS_AS(Schedule({{1, 1, 1}, {1, 2, 2}, {4, 1, 1}}), Error);
}

}  // namespace
}  // namespace faststar
