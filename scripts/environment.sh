# shellcheck shell=bash
# Sourced by every script: where things are, what was chosen at set-up, which compiler, CMake and LibTorch to use.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
state="$root/.faststar" # all that the scripts make; git ignores it and `setup.sh --clean` removes it
venv="$state/venv"
export CCACHE_DIR="$state/ccache" PIP_CACHE_DIR="$state/pip-cache" TMPDIR="$state/tmp"

say() { printf '%s\n' "$*" >&2; }

# die MESSAGE [HINT]: one line that says what is wrong, one that says what to do.
die() {
  say "error: $1"
  [[ $# -lt 2 ]] || say "hint: $2"
  exit 1
}

# The leading comment of the script that runs is its help.
print_help() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"; }

have() { command -v "$1" >/dev/null 2>&1; }

version_at_least() { # HAVE WANT
  [[ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" == "$2" ]]
}

# setting NAME DEFAULT: what an earlier set-up was told.
setting() {
  local value=""
  [[ ! -e "$state/settings" ]] || value=$(sed -n "s/^$1=//p" "$state/settings" | tail -n 1)
  printf '%s\n' "${value:-$2}"
}

remember() { # NAME VALUE
  mkdir -p "$state"
  touch "$state/settings"
  { sed "/^$1=/d" "$state/settings" && printf '%s=%s\n' "$1" "$2"; } >"$state/settings.new"
  mv "$state/settings.new" "$state/settings"
}

# Parts from PyPI (torch-cpu torch-cuda cmake ninja nvcc fa3) leave a marker once they are whole.
is_installed() { [[ -e "$venv/installed/$1" ]]; }

site_packages() { printf '%s\n' "$venv"/lib/python3*/site-packages; }

torch_folder() {
  local given
  given=$(setting torch pypi)
  if [[ "$given" == pypi ]]; then printf '%s/torch\n' "$(site_packages)"; else printf '%s\n' "$given"; fi
}

nvcc_version() { "$1" --version 2>/dev/null | sed -n 's/.*release \([0-9.]*\),.*/\1/p'; }

# The system's CUDA compiler, 13.0 or newer, as LibTorch's CUDA 13 headers ask.
system_nvcc() {
  local candidate
  for candidate in "${CUDACXX:-}" "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc; do
    [[ -x "$candidate" ]] || continue
    if version_at_least "$(nvcc_version "$candidate")" 13.0; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  return 1
}

has_nvidia_driver() { [[ -e /proc/driver/nvidia/version ]] || nvidia-smi -L >/dev/null 2>&1; }

# A LibTorch that the user gave may be a CPU build.
torch_allows_cuda() {
  [[ "$(setting torch pypi)" == pypi || -e "$(torch_folder)/lib/libtorch_cuda.so" ]]
}

# True when the build has CUDA kernels: as chosen; else where there is an NVIDIA driver, or a build that has them. A
# compiler alone is no reason to fetch and compile so much more, but with CUDA_NEEDS=compiler (CI).
wants_cuda() {
  case "$(setting cuda auto)" in
    on) true ;;
    off) false ;;
    *) torch_allows_cuda && { has_nvidia_driver || build_has_cuda || { [[ "${CUDA_NEEDS:-}" == compiler ]] && system_nvcc >/dev/null; }; } ;;
  esac
}

build_has_cuda() { grep -qx 'FASTSTAR_CUDA:STRING=ON' "$state/build/CMakeCache.txt" 2>/dev/null; }

nvcc_command() { system_nvcc || printf '%s/nvidia/cu13/bin/nvcc\n' "$(site_packages)"; }

# CMake before 3.28 does not know C++20 for CUDA 13.
system_cmake_suffices() { have cmake && version_at_least "$(cmake --version | sed -n '1s/[^0-9]*//p')" 3.28; }

# The wheel's own program, not its launcher in bin/: that one names the folder it was installed in.
cmake_command() {
  if system_cmake_suffices; then command -v cmake; else printf '%s/cmake/data/bin/cmake\n' "$(site_packages)"; fi
}

ninja_command() { if have ninja; then command -v ninja; else printf '%s\n' "$venv/bin/ninja"; fi; }
