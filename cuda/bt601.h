#pragma once
// 8-bit RGB to YUV420P, BT.601 in limited range, in swscale's integers (SWS_BICUBIC | SWS_ACCURATE_RND |
// SWS_FULL_CHR_H_INP): what core/media/colour.h gives for the same pixels, bit for bit. Shared by the kernel and the
// ATen reference of core/model/vae/yuv420.h.

namespace faststar::bt601 {

/// What a channel of a pixel is made of: red, green and blue, in units of 2^-15 levels.
struct Weights {
  int red, green, blue;
  int offset;  ///< black in units of 2^-15 levels, and half of what kShift drops
};
/// Drops bits of a weighted sum; 6 bits below a level remain.
inline constexpr int kShift = 9;
inline constexpr Weights kY{8414, 16519, 3208, (16 << 15) + (1 << (kShift - 1))};
inline constexpr Weights kU{-4865, -9528, 14392, (128 << 15) + (1 << (kShift - 1))};
inline constexpr Weights kV{14392, -12061, -2332, (128 << 15) + (1 << (kShift - 1))};
/// From luma with its 6 bits to a level: half of it is added first.
inline constexpr int kLumaShift = 6;

/// Chroma is halved by a bicubic filter (a = -0.6), first along a line, then across lines. Sample i of the result reads
/// 2 i - 3 to 2 i + 4; beyond an edge the last one counts again.
inline constexpr int kTaps = 8;
inline constexpr int kTapsBefore = 3;
struct Taps {
  int weight[kTaps];
};
inline constexpr Taps kAlongLine{{-230, -692, 1972, 7142, 7142, 1972, -692, -230}};  // sum 2^14
inline constexpr int kAlongLineShift = 13;                                           // one bit more remains
inline constexpr int kAlongLineMax = 32767;                                          // swscale's 15 bits
inline constexpr Taps kAcrossLines{{-58, -172, 492, 1786, 1786, 492, -172, -58}};    // sum 2^12
inline constexpr int kAcrossLinesShift = 19;

}  // namespace faststar::bt601
