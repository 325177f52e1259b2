#include "cli/commands.h"
#include "cli/progress/process.h"
#include "core/base/cpu_quota.h"
#include "core/base/device.h"

int main(int argc, char** argv) {
  faststar::open_standard_descriptors();
  faststar::report_uncaught_errors();
  faststar::handle_signals();
  try {
    faststar::limit_threads_to_quota();
    faststar::keep_freed_memory();
    return faststar::end_code(faststar::run_application(argc, argv));
  } catch (...) {
    return faststar::report_current_error();
  }
}
