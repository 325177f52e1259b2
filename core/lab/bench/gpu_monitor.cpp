#include "core/lab/bench/gpu_monitor.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "core/base/device.h"

namespace faststar {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(100);

// The part of NVIDIA's management interface (NVML) that is read here. Numbers are those of its documentation.
constexpr int kNvmlSuccess = 0;
constexpr int kSmClock = 1;
constexpr int kMemoryClock = 2;
constexpr int kGpuTemperature = 0;
/// Software power cap, hardware slowdown, software and hardware thermal slowdown, power brake.
constexpr unsigned long long kLimitedBy = 0x4 | 0x8 | 0x20 | 0x40 | 0x80;

using NvmlDevice = void*;

}  // namespace

struct GpuMonitor::Reader {
  /// nvmlProcessInfo_t
  struct NvmlProcess {
    unsigned pid;
    unsigned long long memory;
    unsigned instance;
    unsigned compute_instance;
  };

  struct Nvml {
    int (*init)() = nullptr;
    int (*shutdown)() = nullptr;
    int (*driver_version)(char*, unsigned) = nullptr;
    int (*device_by_bus_id)(const char*, NvmlDevice*) = nullptr;
    int (*power)(NvmlDevice, unsigned*) = nullptr;  ///< milliwatts
    int (*clock)(NvmlDevice, int, unsigned*) = nullptr;
    int (*temperature)(NvmlDevice, int, unsigned*) = nullptr;
    int (*limits)(NvmlDevice, unsigned long long*) = nullptr;
    int (*processes)(NvmlDevice, unsigned*, NvmlProcess*) = nullptr;

    /// False when the library or one of its functions is not there. It stays open.
    bool open() {
      void* const library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
      if (!library) return false;
      const auto find = [&](auto& function, const char* name) {
        function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
        return function != nullptr;
      };
      return find(init, "nvmlInit_v2") && find(shutdown, "nvmlShutdown") &&
             find(driver_version, "nvmlSystemGetDriverVersion") &&
             find(device_by_bus_id, "nvmlDeviceGetHandleByPciBusId_v2") && find(power, "nvmlDeviceGetPowerUsage") &&
             find(clock, "nvmlDeviceGetClockInfo") && find(temperature, "nvmlDeviceGetTemperature") &&
             find(limits, "nvmlDeviceGetCurrentClocksThrottleReasons") &&
             find(processes, "nvmlDeviceGetComputeRunningProcesses_v3");
    }
  };

  struct Reading {
    BenchClock::time_point at;
    double watts, sm_mhz, memory_mhz, celsius;
    bool limited;
  };

  Reader(const Nvml& nvml, NvmlDevice device) : nvml(nvml), device(device), thread([this] { run(); }) {}
  ~Reader() {
    stopping = true;
    thread.join();
    nvml.shutdown();
  }

  void run() {
    while (!stopping) {
      const Reading reading = read();
      {
        const std::lock_guard lock(mutex);
        readings.push_back(reading);
      }
      std::this_thread::sleep_for(kInterval);
    }
  }

  /// What the GPU does not tell counts as 0.
  Reading read() const {
    unsigned milliwatts = 0, sm = 0, memory = 0, celsius = 0;
    unsigned long long reasons = 0;
    nvml.power(device, &milliwatts);
    nvml.clock(device, kSmClock, &sm);
    nvml.clock(device, kMemoryClock, &memory);
    nvml.temperature(device, kGpuTemperature, &celsius);
    nvml.limits(device, &reasons);
    return {BenchClock::now(),
            milliwatts * 1e-3,
            static_cast<double>(sm),
            static_cast<double>(memory),
            static_cast<double>(celsius),
            (reasons & kLimitedBy) != 0};
  }

  const Nvml nvml;
  const NvmlDevice device;
  mutable std::mutex mutex;
  std::vector<Reading> readings;
  std::atomic<bool> stopping = false;
  std::thread thread;  // last: it uses all members above
};

nlohmann::ordered_json to_json(const GpuUse& use) {
  if (use.samples == 0) return nullptr;
  return {{"samples", use.samples},       {"watts", use.watts},         {"max_watts", use.max_watts},
          {"joules", use.joules},         {"sm_mhz", use.sm_mhz},       {"min_sm_mhz", use.min_sm_mhz},
          {"memory_mhz", use.memory_mhz}, {"max_celsius", use.celsius}, {"limited_share", use.limited}};
}

GpuMonitor::GpuMonitor(at::Device device) {
  if (!device.is_cuda()) {
    absent_ = "the CPU's clock and power are not read";
    return;
  }
  Reader::Nvml nvml;
  if (!nvml.open() || nvml.init() != kNvmlSuccess) {
    absent_ = "libnvidia-ml.so.1 cannot be used: clocks and power are not read";
    return;
  }
  std::array<char, 96> version{};
  if (nvml.driver_version(version.data(), version.size()) == kNvmlSuccess) driver_ = version.data();
  const std::string bus_id = cuda::list_gpus().gpus.at(static_cast<size_t>(device.index())).bus_id;
  NvmlDevice handle = nullptr;
  if (nvml.device_by_bus_id(bus_id.c_str(), &handle) != kNvmlSuccess) {
    nvml.shutdown();
    absent_ = fmt::format("NVML does not know the GPU at {}: clocks and power are not read", bus_id);
    return;
  }
  reader_ = std::make_unique<Reader>(nvml, handle);
}

GpuMonitor::~GpuMonitor() = default;

int GpuMonitor::other_processes() const {
  if (!reader_) return 0;
  std::array<Reader::NvmlProcess, 64> processes{};
  auto count = static_cast<unsigned>(processes.size());
  if (reader_->nvml.processes(reader_->device, &count, processes.data()) != kNvmlSuccess) return 0;
  // In a container the driver names processes by numbers of outside: ours is among them all the same.
  return std::max(0, static_cast<int>(count) - 1);
}

GpuUse GpuMonitor::between(BenchClock::time_point from, BenchClock::time_point to) const {
  GpuUse use;
  if (!reader_) return use;
  const std::lock_guard lock(reader_->mutex);
  for (const Reader::Reading& reading : reader_->readings) {
    if (reading.at < from || reading.at > to) continue;
    use.min_sm_mhz = use.samples == 0 ? reading.sm_mhz : std::min(use.min_sm_mhz, reading.sm_mhz);
    ++use.samples;
    use.watts += reading.watts;
    use.max_watts = std::max(use.max_watts, reading.watts);
    use.sm_mhz += reading.sm_mhz;
    use.memory_mhz += reading.memory_mhz;
    use.celsius = std::max(use.celsius, reading.celsius);
    use.limited += reading.limited ? 1 : 0;
  }
  for (double* sum : {&use.watts, &use.sm_mhz, &use.memory_mhz, &use.limited}) *sum /= std::max(1, use.samples);
  use.joules = use.watts * seconds_between(from, to);
  return use;
}

}  // namespace faststar
