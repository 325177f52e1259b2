#pragma once
#include "core/base/tensor.h"

namespace faststar {

/// Share, 0..1, of a map's energy that lies at high spatial frequencies: above half of the Nyquist frequency of rows
/// or of columns. The mean of each channel and frame does not count; 0 for a constant map. map [1, C, T, H, W] float32.
/// Waits for the device.
double high_frequency_share(const Tensor& map);

}  // namespace faststar
