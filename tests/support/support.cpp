#include "support/support.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>

#include "core/base/device.h"

namespace faststar::test {
namespace fs = std::filesystem;

std::vector<at::Device> test_devices() {
  std::vector<at::Device> devices = {at::kCPU};
  if (!cuda::list_gpus().gpus.empty()) devices.emplace_back(at::kCUDA, 0);
  return devices;
}

std::vector<DeviceDtype> test_device_dtypes() {
  std::vector<DeviceDtype> cases;
  for (const auto device : test_devices()) {
    cases.push_back({device, at::kFloat});
    if (device.is_cuda()) cases.push_back({device, at::kBFloat16});
  }
  return cases;
}

double tolerance_of(at::ScalarType dtype) {
  switch (dtype) {
    case at::kBFloat16: return 4e-2;
    case at::kHalf: return 1e-2;
    default: return 1e-5;
  }
}

double relative_error(const Tensor& a, const Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  if (a.numel() == 0) return 0;
  const Tensor expected = b.to(at::kCPU, at::kDouble);
  const double difference = (a.to(at::kCPU, at::kDouble) - expected).abs().max().item<double>();
  const double scale = expected.abs().max().item<double>();
  if (!(difference <= std::numeric_limits<double>::max())) return std::numeric_limits<double>::infinity();
  return scale > 0 ? difference / scale : difference;
}

bool same(const Tensor& a, const Tensor& b) { return a.dtype() == b.dtype() && at::equal(a.cpu(), b.cpu()); }

Tensor seeded_randn(at::IntArrayRef shape, uint64_t seed, at::Device device, at::ScalarType dtype) {
  auto generator = at::detail::createCPUGenerator(seed);
  return at::randn(shape, generator, at::TensorOptions().dtype(at::kFloat)).to(device, dtype);
}

TempDir::TempDir() {
  std::string pattern = (fs::temp_directory_path() / "faststar-test-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw std::runtime_error("cannot make a temporary folder");
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

fs::path golden_dir() {
  const char* given = std::getenv("FASTSTAR_GOLDEN");
  return given ? given : FASTSTAR_GOLDEN_DIR;
}

std::string program() {
  const char* given = std::getenv("FASTSTAR_PROGRAM");
  return given ? given : FASTSTAR_BUILT_PROGRAM;
}

std::string read_text(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw std::runtime_error("cannot read " + path.string());
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream stream(path, std::ios::binary);
  stream << text;
  if (!stream) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace faststar::test
