#!/usr/bin/env bash
# clang-tidy over our sources (or the ones named), in a build folder of its own without CUDA, without groups of
# files (so that every file is checked alone) and without precompiled headers: clang cannot read those of g++.
#
#   ./scripts/tidy.sh [FILE.cpp]...
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

if [[ "${1:-}" == --help || "${1:-}" == -h ]]; then
  print_help
  exit
fi
have clang-tidy || die "no clang-tidy" "sudo apt-get install clang-tidy"
"$root/scripts/setup.sh"
build="$state/build-tidy"
mkdir -p "$build"
"$(cmake_command)" -S "$root" -B "$build" -G Ninja -DCMAKE_MAKE_PROGRAM="$(ninja_command)" -DFASTSTAR_TORCH="$(torch_folder)" \
  -DFASTSTAR_CUDA=OFF -DFASTSTAR_UNITY=OFF -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >"$build/configure.log" 2>&1 || die "cmake failed" "$build/configure.log"
cd "$root"
if (($# == 0)); then
  mapfile -t sources < <(git ls-files 'cli/*.cpp' 'core/*.cpp' 'tests/*.cpp')
  set -- "${sources[@]}"
fi
printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" clang-tidy -p "$build" --quiet \
  2> >(grep -v 'warnings\{0,1\} generated' >&2)
