#include "core/base/weights/weight_loader.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <set>
#include <system_error>
#include <tuple>
#include <utility>

#include "core/base/weights/mapped_file.h"

namespace faststar {
namespace {

/// Large enough for a disk and for PCIe, small enough that reading, copying and converting overlap.
constexpr int64_t kPieceBytes = 4 << 20;
/// More do not read faster from memory.
constexpr int kMostThreads = 16;

using LoadClock = std::chrono::steady_clock;

double seconds_from(LoadClock::time_point start) {
  return std::chrono::duration<double>(LoadClock::now() - start).count();
}

int64_t element_bytes_of(at::ScalarType dtype) { return static_cast<int64_t>(c10::elementSize(dtype)); }

bool is_8_bit_float(at::ScalarType dtype) { return c10::isFloatingType(dtype) && element_bytes_of(dtype) == 1; }

/// 8-bit matrices in another dtype need their scales.
bool converts(const TensorInfo& stored, const TensorInfo& wanted) {
  if (stored.shape != wanted.shape) return false;
  return stored.dtype == wanted.dtype || (c10::isFloatingType(stored.dtype) && c10::isFloatingType(wanted.dtype) &&
                                          !is_8_bit_float(stored.dtype) && !is_8_bit_float(wanted.dtype));
}

c10::Stream current_stream(at::Device device) { return c10::impl::VirtualGuardImpl(device.type()).getStream(device); }

/// What is queued on `later` from now on waits for all that is queued on `earlier`.
void order_streams(const c10::Stream& earlier, const c10::Stream& later) {
  c10::Event event(earlier.device_type());
  event.record(earlier);
  event.block(later);
}

Tensor as_elements(const Tensor& bytes, int64_t count, at::ScalarType dtype) {
  return bytes.narrow(0, 0, count * element_bytes_of(dtype)).view(dtype);
}

/// Memory that the GPU reads while the CPU goes on.
struct PinnedBuffer {
  explicit PinnedBuffer(at::DeviceType device)
      : bytes(at::empty({kPieceBytes}, at::TensorOptions(at::kByte).pinned_memory(true))), copied(device) {}
  Tensor bytes;
  c10::Event copied;
};

}  // namespace

WeightLoader::WeightLoader(const TensorSource& source, const TensorRequests& wanted, at::Device device,
                           const std::vector<FusedLayers>& fused)
    : origin_(source.origin()), device_(device) {
  const c10::InferenceMode tensors_for_any_use(false);
  collect(source, wanted);
  assign_targets(fused);
  cut_into_pieces();
  sums_ = at::empty({static_cast<int64_t>(pieces_.size())}, at::TensorOptions(device).dtype(at::kFloat));
  if (device.is_cpu()) {
    load_here();
  } else {
    start_threads();
  }
}

WeightLoader::~WeightLoader() {
  for (std::jthread& thread : threads_) thread.request_stop();
  threads_.clear();
  try {
    wait_for_copies();  // which may still write to memory that the current stream gets next
  } catch (const std::exception&) {
    // The device is lost; whoever uses it next says so.
  }
}

void WeightLoader::collect(const TensorSource& source, const TensorRequests& wanted) {
  for (const auto& [name, request] : wanted) {
    const auto stored = source.tensors().find(name);
    FilePlace place = source.place(name);
    if (!place.file || stored == source.tensors().end() || !converts(stored->second, request)) continue;
    items_.push_back({.name = name, .stored = stored->second, .wanted = request, .place = std::move(place)});
  }
  std::ranges::sort(items_, {}, [](const Item& item) {
    return std::tuple<const std::string&, int64_t>(item.place.file->origin(), item.place.offset);
  });
}

/// Each item its own target, but for the parts of fused layers.
void WeightLoader::assign_targets(const std::vector<FusedLayers>& fused) {
  std::map<std::string, Item*> items;
  for (Item& item : items_) items[item.name] = &item;
  const auto add_target = [&](const std::string& name, const std::vector<Item*>& parts) {
    Target target{.dtype = parts.front()->wanted.dtype};
    for (Item* const part : parts) {
      part->target = targets_.size();
      part->first = target.elements;
      target.elements += checked_numel(part->wanted.shape).value_or(0);
      items.erase(part->name);
    }
    targets_by_name_[name] = targets_.size();
    targets_.push_back(std::move(target));
  };
  for (const FusedLayers& layers : fused) {
    for (const Item& item : items_) {
      const auto around = around_layer(item.name, layers.parts.front().first);
      if (!around) continue;
      std::vector<Item*> parts;
      for (const auto& [layer, rows] : layers.parts) {
        const auto part = items.find(around->first + layer + around->second);
        if (part != items.end() && part->second->wanted.dtype == item.wanted.dtype) parts.push_back(part->second);
      }
      if (parts.size() == layers.parts.size()) add_target(around->first + layers.name + around->second, parts);
    }
  }
  while (!items.empty()) {
    Item* const item = items.begin()->second;
    add_target(item->name, {item});
  }
}

void WeightLoader::cut_into_pieces() {
  for (size_t i = 0; i < items_.size(); ++i) {
    const Item& item = items_[i];
    const int64_t elements = checked_numel(item.stored.shape).value_or(0);
    const int64_t most = kPieceBytes / element_bytes_of(item.stored.dtype);
    for (int64_t begin = 0; begin < elements; begin += most) {
      pieces_.push_back({i, begin, std::min(most, elements - begin), static_cast<int64_t>(pieces_.size())});
      ++targets_[item.target].pieces_left;
    }
    times_.bytes += elements * element_bytes_of(item.stored.dtype);
  }
}

/// All of it, with the threads of LibTorch.
void WeightLoader::load_here() {
  const auto start = LoadClock::now();
  for (Target& target : targets_) target.values = at::empty({target.elements}, at::TensorOptions(target.dtype));
  at::parallel_for(0, static_cast<int64_t>(pieces_.size()), 1, [&](int64_t begin, int64_t end) {
    const c10::InferenceMode tensors_for_any_use(false);
    Tensor buffer;
    for (int64_t i = begin; i < end; ++i) {
      const Piece& piece = pieces_[static_cast<size_t>(i)];
      const Item& item = items_[piece.item];
      if (item.stored.dtype == item.wanted.dtype) {
        read_bytes(piece, slice_of(piece).mutable_data_ptr());
      } else {
        if (!buffer.defined()) buffer = at::empty({kPieceBytes}, at::TensorOptions(at::kByte));
        read_bytes(piece, buffer.mutable_data_ptr());
        put(piece, as_elements(buffer, piece.count, item.stored.dtype));
      }
      add_sum(piece);
      finish_piece(piece);
    }
  });
  times_.whole = seconds_from(start);
  times_.read = times_.whole;
  times_.threads = 1;
}

void WeightLoader::start_threads() {
  const c10::DeviceGuard guard(device_);
  copies_ = c10::impl::VirtualGuardImpl(device_.type()).getStreamFromGlobalPool(device_, /*isHighPriority=*/false);
  // Memory that this stream gave back may still be read by what is queued on the current one.
  order_streams(current_stream(device_), *copies_);
  const int64_t most = std::clamp<int64_t>(at::get_num_threads(), 1, kMostThreads);
  const int64_t count = std::min(most, static_cast<int64_t>(pieces_.size()));
  for (int64_t i = 0; i < count; ++i) {
    try {
      threads_.emplace_back([this](const std::stop_token& stop) { read_pieces(stop); });
    } catch (const std::system_error&) {  // fewer are enough
      if (threads_.empty()) throw;
      break;
    }
  }
}

/// One thread: while a buffer is copied, the next piece is read into the other one.
void WeightLoader::read_pieces(const std::stop_token& stop) {
  const auto start = LoadClock::now();
  double read = 0, wait = 0;
  const auto timed = [](double& sum, const auto& action) {
    const auto begin = LoadClock::now();
    action();
    sum += seconds_from(begin);
  };
  try {
    const c10::DeviceGuard guard(device_);
    const c10::StreamGuard stream(*copies_);
    std::array<PinnedBuffer, 2> buffers = {PinnedBuffer(device_.type()), PinnedBuffer(device_.type())};
    for (size_t turn = 0; !stop.stop_requested(); ++turn) {
      PinnedBuffer& buffer = buffers[turn % buffers.size()];
      const Piece* const piece = next_piece();
      if (!piece) break;
      timed(wait, [&] { buffer.copied.synchronize(); });
      timed(read, [&] { read_bytes(*piece, buffer.bytes.mutable_data_ptr()); });
      put(*piece, as_elements(buffer.bytes, piece->count, items_[piece->item].stored.dtype));
      buffer.copied.record(*copies_);
      add_sum(*piece);
      finish_piece(*piece);
    }
    timed(wait, [&] {
      for (const PinnedBuffer& buffer : buffers) buffer.copied.synchronize();
    });
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::current_exception();
    next_ = pieces_.size();
    changed_.notify_all();
  }
  const std::lock_guard lock(mutex_);
  times_.read += read;
  times_.wait += wait;
  times_.whole = std::max(times_.whole, seconds_from(start));
  ++times_.threads;
}

/// Null when all have been taken.
const WeightLoader::Piece* WeightLoader::next_piece() {
  const std::lock_guard lock(mutex_);
  if (next_ == pieces_.size()) return nullptr;
  const Piece& piece = pieces_[next_++];
  Target& target = targets_[items_[piece.item].target];
  if (!target.values.defined()) {
    target.values = at::empty({target.elements}, at::TensorOptions(device_).dtype(target.dtype));
  }
  return &piece;
}

void WeightLoader::finish_piece(const Piece& piece) {
  const std::lock_guard lock(mutex_);
  Target& target = targets_[items_[piece.item].target];
  --target.pieces_left;
  ++finished_;
  if (target.pieces_left == 0) changed_.notify_all();
}

void WeightLoader::read_bytes(const Piece& piece, void* bytes) const {
  const Item& item = items_[piece.item];
  const int64_t width = element_bytes_of(item.stored.dtype);
  item.place.file->read_into(bytes, item.place.offset + piece.begin * width, piece.count * width);
}

Tensor WeightLoader::slice_of(const Piece& piece) const {
  const Item& item = items_[piece.item];
  return targets_[item.target].values.narrow(0, item.first + piece.begin, piece.count);
}

void WeightLoader::put(const Piece& piece, const Tensor& elements) {
  const Tensor slice = slice_of(piece);
  const bool converts_there = !device_.is_cpu() && elements.scalar_type() != slice.scalar_type();
  slice.copy_(converts_there ? elements.to(device_, /*non_blocking=*/true) : elements, /*non_blocking=*/true);
}

void WeightLoader::add_sum(const Piece& piece) {
  const Tensor slice = slice_of(piece);
  Tensor sum = sums_[piece.slot];
  if (!c10::isFloatingType(slice.scalar_type())) {
    sum.fill_(1);
  } else {
    at::sum_out(sum, is_8_bit_float(slice.scalar_type()) ? slice.to(at::kFloat) : slice, at::IntArrayRef{0},
                /*keepdim=*/false, at::kFloat);
  }
}

void WeightLoader::wait_for_copies() const {
  if (copies_) order_streams(*copies_, current_stream(device_));
}

Tensor WeightLoader::take(const std::string& name, const TensorInfo& wanted) {
  const auto found = targets_by_name_.find(name);
  if (found == targets_by_name_.end() || targets_[found->second].dtype != wanted.dtype) return {};
  Target& target = targets_[found->second];
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return target.pieces_left == 0 || error_; });
    if (target.pieces_left > 0) std::rethrow_exception(error_);
  }
  if (!target.values.defined()) return {};  // given away, or without elements
  const Tensor tensor = std::exchange(target.values, Tensor()).view(wanted.shape);
  wait_for_copies();
  // Without this its memory could be written again, on the stream of copies, before the current stream has read it.
  if (copies_) tensor.record_stream(current_stream(device_));
  return tensor;
}

void WeightLoader::check_finite() {
  for (std::jthread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  if (error_) std::rethrow_exception(error_);
  wait_for_copies();
  sums_ = sums_.cpu();
  const Tensor bad = sums_.isfinite().logical_not().nonzero();
  if (bad.numel() > 0) {
    const Piece& first = pieces_[static_cast<size_t>(bad.flatten()[0].item<int64_t>())];
    fail_not_finite(origin_, items_[first.item].name);
  }
}

std::vector<std::string> WeightLoader::zero_matrices() const {
  const auto sums = sums_.accessor<float, 1>();
  std::set<size_t> zero;
  for (const Piece& piece : pieces_) {
    if (sums[piece.slot] == 0 && items_[piece.item].stored.shape.size() >= 2) zero.insert(piece.item);
  }
  for (const Piece& piece : pieces_) {
    if (sums[piece.slot] != 0) zero.erase(piece.item);
  }
  std::vector<std::string> names;
  for (const size_t item : zero) names.push_back(items_[item].name);
  return names;
}

}  // namespace faststar
