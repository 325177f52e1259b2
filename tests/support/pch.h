// Precompiled: the headers that cost seconds in every test file. Never included by name.
#pragma once
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "support/catch.h"
