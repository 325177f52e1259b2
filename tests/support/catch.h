#pragma once
// Catch2 2.13 (Debian 12) and 3 (later systems) under one include.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;  // global in 2.13
#else
#include <catch2/catch.hpp>
#endif
