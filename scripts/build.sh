#!/usr/bin/env bash
# Set-up, configure and build into .faststar/build (with --asan: .faststar/build-asan).
#
#   ./scripts/build.sh [--asan] [--target NAME]... [CMAKE_OPTION]...
#
#   --asan          address and undefined-behaviour sanitizers, without CUDA
#   --target NAME   build only this (faststar, faststar_tests)
#   CMAKE_OPTION    goes to cmake as it is: -DCMAKE_CUDA_ARCHITECTURES=89
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

build="$state/build"
options=()
targets=()

main() {
  parse_options "$@"
  "$root/scripts/setup.sh"
  export PATH="$PATH:$venv/bin"
  add_cuda_options
  [[ -z "${CI:-}" ]] || options=(-DFASTSTAR_WERROR=ON "${options[@]}")
  forget_moved_build
  local cmake
  cmake=$(cmake_command)
  "$cmake" -S "$root" -B "$build" -G Ninja -DCMAKE_MAKE_PROGRAM="$(ninja_command)" -DFASTSTAR_TORCH="$(torch_folder)" "${options[@]}"
  "$cmake" --build "$build" --parallel "$(parallel_jobs)" "${targets[@]}"
}

parse_options() {
  while (($#)); do
    case "$1" in
      --asan)
        build="$state/build-asan"
        options+=(-DFASTSTAR_SANITIZE=ON "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG")
        ;;
      --target)
        (($# > 1)) || die "--target needs a name" "./scripts/build.sh --target faststar"
        targets+=(--target "$2")
        shift
        ;;
      --help | -h)
        print_help
        exit
        ;;
      -*) options+=("$1") ;;
      *) die "build.sh: unexpected $1" "./scripts/build.sh --help" ;;
    esac
    shift
  done
}

add_cuda_options() {
  if [[ "$build" != *-asan ]] && wants_cuda; then
    options=(-DFASTSTAR_CUDA=ON -DCMAKE_CUDA_COMPILER="$(nvcc_command)" "${options[@]}")
  else
    options=(-DFASTSTAR_CUDA=OFF "${options[@]}")
  fi
}

# CMake refuses a build folder whose source tree has moved.
forget_moved_build() {
  local cache="$build/CMakeCache.txt"
  if [[ -e "$cache" ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$cache"; then
    say "build: $build belongs to another place; starting it anew"
    rm -rf "$build"
  fi
}

# A file that includes ATen takes up to 2 GB.
parallel_jobs() {
  local cores gigabytes
  cores=$(nproc)
  gigabytes=$(awk '/^MemAvailable:/ {print int($2 / 1048576)}' /proc/meminfo)
  local by_memory=$((gigabytes / 2 > 0 ? gigabytes / 2 : 1))
  printf '%s\n' $((cores < by_memory ? cores : by_memory))
}

main "$@"
