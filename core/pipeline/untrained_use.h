#pragma once
#include "core/pipeline/request.h"

namespace faststar {

/// Logs warnings when the output will not be meaningful: interactive runs of a model that was not trained for them,
/// words that the model does not know, and another shape than the embedded model's.
void warn_about_untrained_use(const Request& request);

/// Logs one warning when the embedded model starts from a picture or video that it did not make, unless interactive
/// runs are warned about anyway. Throws Error(input) when the source cannot be read.
void warn_about_untrained_source(const Request& request);

}  // namespace faststar
