#include "core/media/colour_profile.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <lcms2.h>

#include <memory>
#include <type_traits>

#include "core/base/log.h"

namespace faststar {
namespace {

struct CloseProfile {
  void operator()(void* profile) const { cmsCloseProfile(profile); }
};
struct DeleteTransform {
  void operator()(void* transform) const { cmsDeleteTransform(transform); }
};
using ProfilePtr = std::unique_ptr<void, CloseProfile>;
using TransformPtr = std::unique_ptr<void, DeleteTransform>;
static_assert(std::is_same_v<cmsHPROFILE, void*> && std::is_same_v<cmsHTRANSFORM, void*>);

bool has_no_colour(const Tensor& pixels) {
  const Tensor red = pixels.select(2, 0);
  return red.equal(pixels.select(2, 1)) && red.equal(pixels.select(2, 2));
}

}  // namespace

std::string profile_of(const RgbSpace& space) {
  for (const auto& xy : {space.white, space.red, space.green, space.blue}) {
    if (xy[1] <= 0) return {};
  }
  const auto point = [](const std::array<double, 2>& xy) { return cmsCIExyY{xy[0], xy[1], 1}; };
  const cmsCIExyY white = point(space.white);
  const cmsCIExyYTRIPLE primaries = {point(space.red), point(space.green), point(space.blue)};
  const cmsFloat64Number curve_of_srgb[] = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045};
  cmsToneCurve* const curve =
      space.gamma > 0 ? cmsBuildGamma(nullptr, space.gamma) : cmsBuildParametricToneCurve(nullptr, 4, curve_of_srgb);
  cmsToneCurve* const curves[3] = {curve, curve, curve};
  const ProfilePtr profile(cmsCreateRGBProfile(&white, &primaries, curves));
  cmsFreeToneCurve(curve);
  cmsUInt32Number size = 0;
  if (!profile || !cmsSaveProfileToMem(profile.get(), nullptr, &size)) return {};
  std::string bytes(size, '\0');
  return cmsSaveProfileToMem(profile.get(), bytes.data(), &size) ? bytes : std::string();
}

std::string profile_of_primaries(AVColorPrimaries primaries) {
  RgbSpace space{.white = {0.3127, 0.3290}};  // SMPTE EG 432-1 and ITU-R BT.2020
  if (primaries == AVCOL_PRI_SMPTE432) {
    space.red = {0.680, 0.320}, space.green = {0.265, 0.690}, space.blue = {0.150, 0.060};
  } else if (primaries == AVCOL_PRI_BT2020) {
    space.red = {0.708, 0.292}, space.green = {0.170, 0.797}, space.blue = {0.131, 0.046};
  } else {
    return {};
  }
  return profile_of(space);
}

Tensor to_srgb(const Tensor& pixels, std::string_view icc, const std::string& file) {
  if (icc.empty()) return pixels;
  const ProfilePtr profile(cmsOpenProfileFromMem(icc.data(), static_cast<cmsUInt32Number>(icc.size())));
  if (!profile) {
    log::info("{}: its colour profile is damaged and not used", file);
    return pixels;
  }
  const cmsColorSpaceSignature space = cmsGetColorSpace(profile.get());
  const bool is_grey = space == cmsSigGrayData;
  if (!is_grey && space != cmsSigRgbData) {
    log::info("{}: its colour profile is not one of RGB and not used", file);
    return pixels;
  }
  if (is_grey && !has_no_colour(pixels)) {
    log::info("{}: its colour profile is one of grey, and the picture has colours: not used", file);
    return pixels;
  }
  const ProfilePtr srgb(cmsCreate_sRGBProfile());
  // Without lcms's cache of the last pixel one transform serves all threads.
  const TransformPtr transform(cmsCreateTransform(profile.get(), is_grey ? TYPE_GRAY_8 : TYPE_RGB_8, srgb.get(),
                                                  TYPE_RGB_8, INTENT_PERCEPTUAL, cmsFLAGS_NOCACHE));
  if (!transform) {
    log::info("{}: its colour profile is damaged and not used", file);
    return pixels;
  }
  const Tensor source = (is_grey ? pixels.narrow(2, 0, 1) : pixels).contiguous();
  Tensor converted = at::empty_like(pixels);
  const int64_t width = pixels.size(1);
  at::parallel_for(0, pixels.size(0), 16, [&](int64_t begin, int64_t end) {
    cmsDoTransform(transform.get(), source.const_data_ptr<uint8_t>() + begin * source.stride(0),
                   converted.mutable_data_ptr<uint8_t>() + begin * converted.stride(0),
                   static_cast<cmsUInt32Number>((end - begin) * width));
  });
  const bool is_same = (converted.to(at::kShort) - pixels).abs().max().item<int>() <= 1;
  return is_same ? pixels : converted;
}

}  // namespace faststar
