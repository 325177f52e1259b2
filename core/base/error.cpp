#include "core/base/error.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <new>
#include <system_error>

#include "cuda/runtime.h"

namespace faststar {
namespace {

constexpr const char* kReport = "this is a bug in faststar; please report it with the command line";
constexpr const char* kLessMemory = "a smaller --resolution or a shorter --duration needs less memory";

/// What follows `before` in `text`, up to `after`; empty without.
std::string between(const std::string& text, const std::string& before, const std::string& after) {
  const size_t start = text.find(before);
  if (start == std::string::npos) return {};
  const size_t begin = start + before.size(), end = text.find(after, begin);
  return end == std::string::npos ? std::string() : text.substr(begin, end - begin);
}

/// The numbers of LibTorch's paragraph on exhausted memory, whose advice is for users of Python.
std::string memory_text(const std::string& what) {
  std::string text = "out of memory";
  if (const auto gpu = between(what, "GPU ", " has a total"); !gpu.empty()) text += " on GPU " + gpu;
  std::string asked = between(what, "ried to allocate ", ". ");
  if (asked.empty()) asked = between(what, "tried to allocate ", " bytes");
  if (!asked.empty())
    text += ": " + asked + (asked.find_first_not_of("0123456789") == asked.npos ? " bytes" : "") + " more needed";
  const auto total = between(what, "total capacity of ", " of which"), free = between(what, "of which ", " is free");
  if (!total.empty() && !free.empty()) text += ", " + free + " of " + total + " free";
  return text;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

Error from_torch(const c10::Error& error) {
  const std::string what = first_line(error.what_without_backtrace());
  if (means_out_of_memory(error)) return {ErrorKind::device, memory_text(what), kLessMemory};
  if (what.starts_with("CUDA error")) return {ErrorKind::device_lost, what, "faststar --list-devices"};
  return {ErrorKind::internal, what, kReport};
}

/// What the message of an error says that means exhausted memory. The CPU allocator has no exception type of its own;
/// a convolution of cuDNN that can allocate no workspace tries all others, and then knows no cause.
constexpr std::array kMemoryWords = {"DefaultCPUAllocator",
                                     "out of memory",
                                     "CUBLAS_STATUS_ALLOC_FAILED",
                                     "CUBLAS_STATUS_NOT_INITIALIZED",
                                     "CUDNN_STATUS_ALLOC_FAILED",
                                     "CUDNN_STATUS_NOT_INITIALIZED",
                                     "unable to find an engine to execute this computation"};

}  // namespace

bool means_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) || dynamic_cast<const c10::OutOfMemoryError*>(&error)) return true;
  const auto* const torch = dynamic_cast<const c10::Error*>(&error);
  if (!torch && !dynamic_cast<const cuda::Failure*>(&error)) return false;
  const std::string what = first_line(torch ? torch->what_without_backtrace() : error.what());
  return std::ranges::any_of(kMemoryWords, [&](const char* words) { return what.find(words) != std::string::npos; });
}

void fail_errno(ErrorKind kind, const std::string& what, const char* action, std::string hint) {
  const int error = errno;
  fail(kind, what + ": cannot " + action + ": " + std::strerror(error), std::move(hint));
}

Error current_error() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const c10::Error& error) {
    return from_torch(error);
  } catch (const cuda::Failure& error) {
    if (means_out_of_memory(error)) return {ErrorKind::device, error.what(), kLessMemory};
    return {error.device_lost() ? ErrorKind::device_lost : ErrorKind::device, error.what()};
  } catch (const std::filesystem::filesystem_error& error) {
    return {ErrorKind::input, first_line(error.what())};
  } catch (const std::system_error& error) {
    const bool no_thread = error.code() == std::errc::resource_unavailable_try_again;
    if (!no_thread) return {ErrorKind::internal, first_line(error.what()), kReport};
    return {ErrorKind::device, "cannot start a thread: " + error.code().message(),
            "ulimit -u shows how many processes and threads this user may have"};
  } catch (const std::bad_alloc&) {
    return {ErrorKind::device, "out of memory on the host", kLessMemory};
  } catch (const std::exception& error) {
    return {ErrorKind::internal, first_line(error.what()), kReport};
  } catch (...) {
    return {ErrorKind::internal, "an exception of unknown type", kReport};
  }
}

}  // namespace faststar
