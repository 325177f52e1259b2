// Catch's own code, which the tests' helpers need: in the tests, support/main.cpp has it.
#define CATCH_CONFIG_RUNNER
#include "support/catch.h"
