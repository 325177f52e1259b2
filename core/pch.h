// Precompiled: the headers that cost seconds in every file. Never included by name.
#pragma once
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
