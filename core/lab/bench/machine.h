#pragma once
#include <c10/core/Device.h>

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/lab/bench/gpu_monitor.h"

namespace faststar {

/// What measurements were made on.
struct Machine {
  std::string program;   ///< version and commit of this program
  std::string libtorch;  ///< version
  std::string device;    ///< "cuda:0"
  std::string gpu;       ///< "NVIDIA H200"; empty on the CPU, as the next three
  std::string driver;
  std::string cuda;  ///< "13.0", that LibTorch was built with
  std::string cudnn;
  std::string cpu;    ///< model name
  int cores = 0;      ///< that this process may use
  int threads = 0;    ///< that LibTorch uses for one operation
  double memory = 0;  ///< bytes
  double load = 0;    ///< load average of the last minute
};

/// `monitor` watches the same device.
Machine describe_machine(at::Device device, const GpuMonitor& monitor);
nlohmann::ordered_json to_json(const Machine& machine);
/// GPU, CPU, cores and memory: "NVIDIA H200, driver 580.95.05, CUDA 13.0, cuDNN 9.13; ..., 16 cores (8 threads), 128
/// GB".
std::string hardware_text(const Machine& machine);
/// "faststar 0.1.0 (1a2b3c4), LibTorch 2.11.0"
std::string software_text(const Machine& machine);
/// Both in one line.
std::string machine_line(const Machine& machine);

/// Seconds since this process began, to a hundredth.
double seconds_since_process_start();

/// Most bytes of memory that this process held since the last reset, or since it began where the kernel does not allow
/// a reset.
int64_t peak_host_bytes();
void reset_peak_host_bytes();

}  // namespace faststar
