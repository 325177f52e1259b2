#include "core/lab/world/clip_renderer.h"

#include <ATen/ATen.h>

#include <numbers>

#include "core/lab/world/appearance.h"
#include "core/lab/world/trajectory.h"

namespace faststar {
namespace {

using std::numbers::pi;

constexpr int64_t kShapeTableSize = 256;
constexpr double kEdgeSharpness = .7;  ///< share of a pixel's coverage that a pixel of distance changes

/// Columns of a record's row: the background, then both objects. A missing object has shape -1.
namespace column {
constexpr int64_t pattern = 0, tone = 1, paler = 4, pan = 7, objects = 8;
// of an object
constexpr int64_t shape = 0, colour = 1, x = 4, y = 5, velocity_x = 6, velocity_y = 7, circle = 8, hop = 9, radius = 10,
                  growth = 11, spin = 12, drift = 13, object_width = 14;
}  // namespace column
constexpr int kMaxObjects = 2;
constexpr int64_t kRecordWidth = column::objects + kMaxObjects * column::object_width;

void write_colour(float* out, const Rgb& colour) { std::copy(colour.begin(), colour.end(), out); }

void write_object(float* out, const SceneObject& object, MotionStage stage, Camera camera) {
  const Trajectory path = trajectory_of(object, stage, camera);
  out[column::shape] = static_cast<float>(object.shape);
  write_colour(out + column::colour, object_colour(object.colour));
  out[column::x] = static_cast<float>(object.x);
  out[column::y] = static_cast<float>(object.y);
  out[column::velocity_x] = static_cast<float>(path.velocity_x);
  out[column::velocity_y] = static_cast<float>(path.velocity_y);
  out[column::circle] = static_cast<float>(path.circle);
  out[column::hop] = static_cast<float>(path.hop);
  out[column::radius] = static_cast<float>(path.radius);
  out[column::growth] = static_cast<float>(path.growth);
  out[column::spin] = static_cast<float>(path.spin);
  out[column::drift] = static_cast<float>(path.drift);
}

void write_record(float* out, const ClipRecord& record) {
  const BackgroundTones tones = background_tones(record.background);
  out[column::pattern] = static_cast<float>(record.pattern);
  write_colour(out + column::tone, tones.tone);
  write_colour(out + column::paler, tones.paler);
  out[column::pan] = static_cast<float>(pan_pixels(record.camera));
  for (size_t i = 0; i < kMaxObjects; ++i) {
    float* object = out + column::objects + static_cast<int64_t>(i) * column::object_width;
    object[column::shape] = -1;
    if (i < record.objects.size()) write_object(object, record.objects[i], stage_of(record, i), record.camera);
  }
}

/// Object `index` of every record: [B, object_width].
Tensor object_columns(const Tensor& records, int index) {
  return records.narrow(1, column::objects + index * column::object_width, column::object_width);
}

/// Column `first` of rows [B, K] as [B, 1].
Tensor column_of(const Tensor& rows, int64_t first) { return rows.narrow(1, first, 1); }

/// Three columns of rows [B, K] as colours [B, 3, 1, 1, 1].
Tensor colours_of(const Tensor& rows, int64_t first) { return rows.narrow(1, first, 3).unflatten(1, {3, 1, 1, 1}); }

/// Eased time (trajectory.h) of `time` in seconds.
Tensor eased(const Tensor& time) {
  const Tensor late = (time - kShortClipSeconds).clamp(0, 2);
  return time.clamp_max(kShortClipSeconds) + late - late * late / 4;
}

/// An object over time: [B, F] each, in frame heights and radians.
struct Pose {
  Tensor x, y, radius, angle;
};

/// object [B, object_width]; time [B, F] seconds.
Pose pose_at(const Tensor& object, const Tensor& time) {
  const auto of = [&](int64_t field) { return column_of(object, field); };
  const Tensor way = eased(time);
  const Tensor turn = time * (2 * pi * kTurnsPerSecond);
  return {.x = of(column::x) + of(column::velocity_x) * way + of(column::circle) * (turn.cos() - 1) +
               of(column::drift) * time,
          .y = of(column::y) + of(column::velocity_y) * way + of(column::circle) * turn.sin() -
               of(column::hop) * (time * (pi * kHopsPerSecond)).sin().abs(),
          .radius = (of(column::radius) + of(column::growth) * way).clamp_min(1e-3),
          .angle = of(column::spin) * time};
}

/// Pixel centres of a crop along one axis, in frame heights: start [B] -> [B, 1, length].
Tensor pixel_centres(const Tensor& start, int64_t length) {
  const Tensor pixel = at::arange(length, start.options().dtype(at::kFloat)) + .5;
  return ((start.unsqueeze(1) + pixel) / double{kWorldHeight}).unsqueeze(1);
}

/// Pixel centres of a crop relative to an object, in its radii: x [B, F, 1, W], y [B, F, H, 1].
struct Offsets {
  Tensor x, y;
};

Offsets offsets_from(const Pose& pose, const FrameWindow& window) {
  const Tensor radius = pose.radius.unsqueeze(-1);
  const Tensor x = (pixel_centres(window.left, window.width) - pose.x.unsqueeze(-1)) / radius;
  const Tensor y = (pixel_centres(window.top, window.height) - pose.y.unsqueeze(-1)) / radius;
  return {.x = x.unsqueeze(2), .y = y.unsqueeze(3)};
}

/// How much of each pixel an object covers: [B, F, H, W]. shapes: tables of signed distances.
Tensor coverage_of(const Tensor& object, const Pose& pose, const Offsets& offsets, const Tensor& shapes) {
  const auto per_frame = [](const Tensor& value) { return value.unsqueeze(-1).unsqueeze(-1); };  // [B, F, 1, 1]
  const Tensor cosine = per_frame(pose.angle.cos() / kShapeReach);
  const Tensor sine = per_frame(pose.angle.sin() / kShapeReach);
  const Tensor turned =
      at::stack({offsets.x * cosine + offsets.y * sine, offsets.y * cosine - offsets.x * sine}, -1);  // [B, F, H, W, 2]
  const Tensor shape = object.select(1, column::shape);
  const Tensor table = shapes.index_select(0, shape.clamp_min(0).to(at::kLong));  // [B, 1, S, S]
  constexpr int64_t kBilinear = 0, kBorder = 1;
  const Tensor distance = at::grid_sampler_2d(table, turned.flatten(1, 2), kBilinear, kBorder, /*align_corners=*/true)
                              .view_as(turned.select(-1, 0));
  const Tensor pixels_per_radius = per_frame(pose.radius * (double{kWorldHeight} * kEdgeSharpness));
  const Tensor present = (shape >= 0).to(at::kFloat).view({-1, 1, 1, 1});
  return distance.mul(pixels_per_radius).neg_().add_(.5).clamp_(0, 1).mul_(present);
}

/// Light from the top left: a spot on balls, a paler top on everything else. [B, F, H, W], 0..1.
Tensor highlight(const Tensor& object, const Offsets& offsets) {
  const Tensor ball = (object.select(1, column::shape) == 0).to(at::kFloat).view({-1, 1, 1, 1});
  const Tensor spot_x = ball * .45 * ((offsets.x + .35).square() * -3).exp();
  const Tensor spot_y = ((offsets.y + .4).square() * -3).exp();
  const Tensor top = (1 - ball) * (.10 - .10 * offsets.y).clamp(0, .25);
  return at::addcmul(top, spot_x, spot_y);
}

/// The share of its light that an object's far side keeps: [B, F, H, W].
Tensor shade(const Offsets& offsets) { return (offsets.y + .3 * offsets.x + .2).clamp_(0, 1.2).mul_(-.13).add_(1); }

/// Lays an object over pixels [B, 3, F, H, W] (0..1) and adds it to coverage [B, F, H, W]. In place: full-size
/// temporaries are what rendering costs.
void draw_object(const Tensor& object, const Pose& pose, const FrameWindow& window, const Tensor& shapes,
                 Tensor& pixels, Tensor& coverage) {
  const Offsets offsets = offsets_from(pose, window);
  const Tensor covered = coverage_of(object, pose, offsets, shapes);
  const Tensor own = shade(offsets).mul_(covered).unsqueeze(1);  // light of the object's own colour
  const Tensor white = highlight(object, offsets).unsqueeze(1).mul_(own);
  const Tensor colour = colours_of(object, column::colour);
  pixels.mul_((1 - covered).unsqueeze(1)).addcmul_(colour, own).addcmul_(1 - colour, white);
  at::maximum_out(coverage, coverage, covered);
}

/// The background of frames [B, F] int64: [B, 3, F, H, W] in 0..1.
Tensor draw_background(const Tensor& records, const Tensor& frames, const FrameWindow& window, const Tensor& patterns) {
  const auto pixels = [&](const Tensor& start, int64_t length) {
    return start.unsqueeze(1) + at::arange(length, start.options());
  };
  const Tensor pattern = records.select(1, column::pattern).to(at::kLong).view({-1, 1, 1, 1});
  const Tensor panned = column_of(records, column::pan).to(at::kLong) * frames;  // [B, F] pixels
  const Tensor rows = pixels(window.top, window.height).unsqueeze(1).unsqueeze(3);
  const Tensor columns = (pixels(window.left, window.width).unsqueeze(1) - panned.unsqueeze(2)).unsqueeze(2);
  const Tensor mix = patterns.index({pattern, rows, columns.remainder(kPatternPeriod)});  // [B, F, H, W]
  const Tensor tone = colours_of(records, column::tone);
  return tone + (colours_of(records, column::paler) - tone) * mix.unsqueeze(1);
}

}  // namespace

Tensor records_to_tensor(std::span<const ClipRecord> records) {
  Tensor rows = at::zeros({static_cast<int64_t>(records.size()), kRecordWidth});
  float* out = rows.mutable_data_ptr<float>();
  for (const ClipRecord& record : records) {
    write_record(out, record);
    out += kRecordWidth;
  }
  return rows;
}

FrameWindow full_window(int64_t clips, int64_t frames, at::Device device) {
  const Tensor zero = at::zeros({clips}, at::device(device).dtype(at::kLong));
  return {.frames = frames, .first_frame = zero, .top = zero, .left = zero};
}

FrameWindow crop_window(const Tensor& records, int64_t frames, int64_t height, int64_t width, double near_object,
                        const Tensor& uniform) {
  const double last_time = static_cast<double>(frames - 1) / kWorldFps;
  const Pose pose = pose_at(object_columns(records, 0), column_of(uniform, 3) * last_time);
  const Tensor near = uniform.select(1, 2) < near_object;
  const auto start = [&](const Tensor& draw, const Tensor& centre, int64_t length, int64_t whole) {
    constexpr double kSpread = .8;  // of the crop's length, around the object
    const auto room = static_cast<double>(whole - length);
    const auto crop = static_cast<double>(length);
    const Tensor around = centre.squeeze(1) * double{kWorldHeight} - crop / 2 + (draw - .5) * (crop * kSpread);
    return at::where(near, around, draw * room).clamp(0, room).round().to(at::kLong);
  };
  return {.frames = frames,
          .height = height,
          .width = width,
          .first_frame = at::zeros({records.size(0)}, records.options().dtype(at::kLong)),
          .top = start(uniform.select(1, 1), pose.y, height, kWorldHeight),
          .left = start(uniform.select(1, 0), pose.x, width, kWorldWidth)};
}

ClipRenderer::ClipRenderer(at::Device device)
    : shapes_(shape_distances(kShapeTableSize).to(device)), patterns_(background_patterns().to(device)) {}

ClipBatch ClipRenderer::operator()(const Tensor& records, const FrameWindow& window) const {
  const Tensor frame = window.first_frame.unsqueeze(1) + at::arange(window.frames, window.first_frame.options());
  const Tensor time = frame / kWorldFps;  // [B, F] seconds
  Tensor pixels = draw_background(records, frame, window, patterns_);
  Tensor coverage = at::zeros({records.size(0), window.frames, window.height, window.width}, records.options());
  for (int i = kMaxObjects - 1; i >= 0; --i) {
    const Tensor object = object_columns(records, i);
    draw_object(object, pose_at(object, time), window, shapes_, pixels, coverage);
  }
  return {.pixels = pixels.mul_(2).sub_(1), .coverage = coverage.unsqueeze(1)};
}

}  // namespace faststar
