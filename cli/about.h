#pragma once

namespace faststar {

/// Version and build on stdout. Returns exit code 0.
int print_version();

/// One device a line on stdout, as --device names it; why there is no GPU on stderr. Returns exit code 0.
int print_devices();

}  // namespace faststar
