#pragma once
#include <stdexcept>
#include <string>
#include <utility>

namespace faststar {

/// What went wrong, as the user sees it. Each kind has one exit code (cli/main.cpp, `exit_code`).
/// device: the device cannot do this work. device_lost: it accepts no more work from this process.
enum class ErrorKind { usage, input, model, device, device_lost, output, interrupted, internal };

/// A failure that a user can cause: one line with what, where, expected and got, and a hint.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, std::string hint = "")
      : std::runtime_error(message), kind_(kind), hint_(std::move(hint)) {}
  ErrorKind kind() const { return kind_; }
  /// The next thing to try; empty when there is none.
  const std::string& hint() const { return hint_; }

 private:
  ErrorKind kind_;
  std::string hint_;
};

[[noreturn]] inline void fail(ErrorKind kind, const std::string& message, std::string hint = "") {
  throw Error(kind, message, std::move(hint));
}

/// Throws Error(kind): "<what>: cannot <action>: <the reason in errno>".
[[noreturn]] void fail_errno(ErrorKind kind, const std::string& what, const char* action, std::string hint = "");

/// True for an error that means that memory was short, on the GPU or on the host: LibTorch's and CUDA's own, and what
/// cuBLAS and cuDNN say when they cannot allocate.
bool means_out_of_memory(const std::exception& error);

/// The exception being handled as a faststar error: LibTorch's lose their backtrace, exhausted memory becomes
/// kind `device`, anything unexpected `internal`.
Error current_error();

}  // namespace faststar
