#include "core/lab/bench/machine.h"

#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <fmt/format.h>
#include <torch/headeronly/version.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "core/base/device.h"
#include "core/base/version.h"

namespace faststar {
namespace {

/// The value of the first line `<key> : <value>` of a file of /proc; empty without one.
std::string proc_value(const char* file, const std::string& key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    const size_t colon = line.find(':');
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    return colon == std::string::npos || begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

double load_average() {
  double load = 0;
  return getloadavg(&load, 1) == 1 ? load : 0;
}

}  // namespace

Machine describe_machine(at::Device device, const GpuMonitor& monitor) {
  Machine machine{.program = program_version(),
                  .libtorch = TORCH_VERSION,
                  .device = device.str(),
                  .cpu = cpu_name(),
                  .cores = static_cast<int>(std::thread::hardware_concurrency()),
                  .threads = at::get_num_threads(),
                  .memory = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE)),
                  .load = load_average()};
  if (!device.is_cuda()) return machine;
  const auto& hooks = at::detail::getCUDAHooks();
  machine.gpu = device_name(device);
  machine.driver = monitor.driver();
  machine.cuda = fmt::format("{}.{}", hooks.versionCUDART() / 1000, hooks.versionCUDART() % 1000 / 10);
  machine.cudnn = fmt::format("{}.{}", hooks.versionCuDNN() / 10000, hooks.versionCuDNN() % 10000 / 100);
  return machine;
}

nlohmann::ordered_json to_json(const Machine& machine) {
  nlohmann::ordered_json json = {{"program", machine.program}, {"libtorch", machine.libtorch}};
  json["device"] = machine.device;
  if (!machine.gpu.empty()) {
    json["gpu"] = machine.gpu;
    json["driver"] = machine.driver;
    json["cuda"] = machine.cuda;
    json["cudnn"] = machine.cudnn;
  }
  json["cpu"] = machine.cpu;
  json["cores"] = machine.cores;
  json["threads"] = machine.threads;
  json["memory_bytes"] = machine.memory;
  json["load_average"] = machine.load;
  return json;
}

std::string hardware_text(const Machine& machine) {
  std::string gpu;
  if (!machine.gpu.empty()) {
    gpu = fmt::format("{}, driver {}, CUDA {}, cuDNN {}; ", machine.gpu,
                      machine.driver.empty() ? "unknown" : machine.driver, machine.cuda, machine.cudnn);
  }
  return fmt::format("{}{}, {} cores ({} threads), {:.0f} GB", gpu, machine.cpu.empty() ? "unknown CPU" : machine.cpu,
                     machine.cores, machine.threads, machine.memory * 1e-9);
}

std::string software_text(const Machine& machine) {
  return fmt::format("faststar {}, LibTorch {}", machine.program, machine.libtorch);
}

std::string machine_line(const Machine& machine) {
  return fmt::format("machine: {}; {}", hardware_text(machine), software_text(machine));
}

double seconds_since_process_start() {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  // The program's name may hold spaces; behind its parenthesis follow fields 3 and later, of which 22 is the start.
  std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 1)));
  constexpr int kFieldsBeforeStart = 19;
  std::string skipped;
  for (int i = 0; i < kFieldsBeforeStart; ++i) fields >> skipped;
  double start = 0;  // clock ticks since the machine began
  fields >> start;
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  constexpr double kNano = 1e-9;
  return static_cast<double>(now.tv_sec) + kNano * static_cast<double>(now.tv_nsec) -
         start / static_cast<double>(sysconf(_SC_CLK_TCK));
}

int64_t peak_host_bytes() {
  constexpr int64_t kKilobyte = 1024;
  return kKilobyte * std::atoll(proc_value("/proc/self/status", "VmHWM").c_str());
}

void reset_peak_host_bytes() {
  constexpr const char* kResetPeak = "5";  // proc(5)
  std::ofstream("/proc/self/clear_refs") << kResetPeak;
}

}  // namespace faststar
