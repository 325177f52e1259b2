#pragma once
#include "core/base/error.h"

namespace faststar {

/// The exit code of a kind; for `interrupted` that of the signal.
int exit_code(ErrorKind kind);

/// Prints the exception being handled on stderr, `error: ...` and `hint: ...`. Returns its exit code.
int report_current_error();

/// Makes an exception that nothing catches end the program with one line and exit code 70.
void report_uncaught_errors();

}  // namespace faststar
