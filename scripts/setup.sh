#!/usr/bin/env bash
# Prepares this machine to build faststar. Everything it makes lies in .faststar/ of the source tree, but for the
# Debian or Ubuntu packages that are missing. Says first what it will download and how long that takes; what apt-get and
# pip say goes to .faststar/setup.log. A second run finds all in place.
#
#   ./scripts/setup.sh [--torch DIR|pypi] [--with-cuda | --without-cuda] [--with-fa3] [--yes]
#   ./scripts/setup.sh --clean
#
#   --torch DIR      use this LibTorch 2.11 (a folder with include/ and lib/); pypi: the wheel again (the default)
#   --with-cuda      build the CUDA kernels; installs the CUDA 13 compiler into .faststar/ if the system has none.
#                    Without this flag they are built where there is an NVIDIA driver
#   --without-cuda   leave them out, also where they could be built; a much smaller download
#   --with-fa3       install FlashAttention-3 (PyPI's fa3-fwd), which a CUDA build uses on Hopper GPUs; no build needs it
#   --yes            do not ask before a download
#   --clean          remove .faststar/: environment, caches, builds and these choices, which are remembered until then
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

torch_version=2.11
log="$state/setup.log"
ask=yes
ask_for_fa3=no
missing_packages=()
missing_parts=()

# What a part from PyPI is, what pip is asked for, and MB to download and to keep on disk.
declare -A part_name=(
  [torch-cuda]="LibTorch 2.11 with CUDA 13" [torch-cpu]="LibTorch 2.11, CPU part" [cmake]="CMake" [ninja]="ninja"
  [nvcc]="CUDA 13.0 compiler" [fa3]="FlashAttention-3 (fa3-fwd 0.0.3)")
declare -A part_download=([torch-cuda]=2720 [torch-cpu]=550 [cmake]=30 [ninja]=1 [nvcc]=110 [fa3]=27)
declare -A part_disk=([torch-cuda]=4600 [torch-cpu]=1250 [cmake]=90 [ninja]=1 [nvcc]=300 [fa3]=106)

main() {
  parse_options "$@"
  check_machine
  wait_for_other_setup
  find_missing_parts
  find_missing_packages
  if ((${#missing_parts[@]} + ${#missing_packages[@]} == 0)); then
    say "set-up: everything is in place"
    return
  fi
  announce
  check_disk
  confirm
  date "+set-up of %F %T" >"$log"
  say "set-up: details go to $log"
  install_packages
  install_parts
  say "set-up: done"
}

parse_options() {
  while (($#)); do
    case "$1" in
      --torch)
        (($# > 1)) || die "--torch needs a folder" "./scripts/setup.sh --torch DIR"
        choose_torch "$2"
        shift
        ;;
      --with-cuda) remember cuda on ;;
      --without-cuda) remember cuda off ;;
      --with-fa3) ask_for_fa3=yes ;;
      --yes | -y) ask=no ;;
      --clean) clean ;;
      --help | -h)
        print_help
        exit
        ;;
      *) die "setup.sh: unknown option $1" "./scripts/setup.sh --help" ;;
    esac
    shift
  done
}

choose_torch() {
  if [[ "$1" == pypi ]]; then
    remember torch pypi
    return
  fi
  local file found
  for file in include/ATen/ATen.h lib/libtorch_cpu.so; do
    [[ -e "$1/$file" ]] || die "--torch $1: no $file in it" "give the folder that holds include/ and lib/ of LibTorch $torch_version"
  done
  found=$(libtorch_version "$1")
  [[ "$found" == "$torch_version" ]] || die "--torch $1: expected LibTorch $torch_version, got ${found:-no version in its headers}"
  remember torch "$(cd "$1" && pwd -P)"
}

# Major and minor version by its headers: older releases have them in the second.
libtorch_version() {
  local header
  for header in "$1"/include/torch/headeronly/version.h "$1"/include/torch/csrc/api/include/torch/version.h; do
    [[ ! -e "$header" ]] || sed -n 's/^#define TORCH_VERSION_\(MAJOR\|MINOR\) //p' "$header"
  done | paste -sd .
}

clean() {
  rm -rf "$state"
  say "set-up: removed $state"
  exit
}

check_machine() {
  [[ "$(uname -sm)" == "Linux x86_64" ]] || die "faststar builds on Linux x86-64; this is $(uname -sm)"
  if [[ "$(setting cuda auto)" == on ]] && ! torch_allows_cuda; then
    die "--with-cuda: $(torch_folder) is a CPU build of LibTorch" "./scripts/setup.sh --with-cuda --torch pypi"
  fi
  if [[ "$ask_for_fa3" == yes ]]; then
    wants_cuda || die "--with-fa3: needs a CUDA build" "./scripts/setup.sh --with-fa3 --with-cuda"
    remember fa3 on
  fi
  mkdir -p "$state" "$TMPDIR" || die "cannot write to $root"
}

# Two at once would each take the other's environment for an unfinished one.
wait_for_other_setup() {
  [[ -w "$state" ]] || return 0
  exec 9>"$state/lock"
  flock 9
}

find_missing_parts() {
  [[ ! -e "$venv/unfinished" ]] || discard_venv "unfinished"
  list_missing_parts
  if ((${#missing_parts[@]})) && [[ -e "$venv" ]] && ! "$venv/bin/python" -c "" 2>/dev/null; then
    discard_venv "broken"
    list_missing_parts
  fi
}

# What an interrupted install left behind may look whole to pip, so all of it goes.
discard_venv() { # WHY
  say "set-up: removing the $1 $venv"
  rm -rf "$venv"
}

list_missing_parts() {
  missing_parts=()
  if [[ "$(setting torch pypi)" == pypi ]] && ! is_installed torch-cuda; then
    if wants_cuda; then missing_parts+=(torch-cuda); else is_installed torch-cpu || missing_parts+=(torch-cpu); fi
  fi
  system_cmake_suffices || is_installed cmake || missing_parts+=(cmake)
  have ninja || is_installed ninja || missing_parts+=(ninja)
  if wants_cuda && ! system_nvcc >/dev/null && ! is_installed nvcc; then missing_parts+=(nvcc); fi
  if [[ "$(setting fa3 off)" == on ]] && wants_cuda && ! is_installed fa3; then missing_parts+=(fa3); fi
}

# Names are the same in Debian 12 and 13 and in Ubuntu 22.04 and 24.04.
find_missing_packages() {
  missing_packages=()
  have "${CXX:-g++}" || missing_packages+=(g++)
  have pkg-config || missing_packages+=(pkg-config)
  require_module libavformat libavformat-dev
  require_module libavcodec libavcodec-dev
  require_module libavutil libavutil-dev
  require_module libswscale libswscale-dev
  require_module libswresample libswresample-dev
  require_module libavfilter libavfilter-dev
  require_module lcms2 liblcms2-dev
  require_module sentencepiece libsentencepiece-dev
  require_module fmt libfmt-dev
  require_module CLI11 libcli11-dev
  require_module nlohmann_json nlohmann-json3-dev
  require_module yaml-cpp libyaml-cpp-dev
  require_module catch2 catch2
  if ((${#missing_parts[@]})) && [[ ! -e "$venv" ]]; then
    find_python >/dev/null || missing_packages+=(python3 python3-venv)
  fi
  # ccache only saves time: where it cannot be installed, the build does without.
  if ! have ccache && can_install_packages; then missing_packages+=(ccache); fi
}

require_module() { # PKG_CONFIG_NAME PACKAGE
  pkg-config --exists "$1" 2>/dev/null || package_is_installed "$2" || missing_packages+=("$2")
}

package_is_installed() {
  [[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

# A Python that torch 2.11 has wheels for and that can make virtual environments.
find_python() {
  local candidate
  for candidate in python3 /usr/bin/python3 python3.{13,12,11,10}; do
    if "$candidate" -c 'import sys, ensurepip, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

announce() {
  local part download=0 disk=0
  say "set-up will install:"
  ((${#missing_packages[@]} == 0)) || say "  system packages, at most 180 MB to download and 620 MB on disk: ${missing_packages[*]}"
  for part in "${missing_parts[@]}"; do
    say "  ${part_name[$part]}, from PyPI into .faststar/: ${part_download[$part]} MB to download, ${part_disk[$part]} MB on disk"
    download=$((download + part_download[$part]))
    disk=$((disk + part_disk[$part]))
  done
  ((${#missing_parts[@]} == 0)) || say "  in .faststar/ in all: $download MB to download, $disk MB on disk; the build takes 1500 MB more"
  say "  time: about $(minutes $((download + 180 * (${#missing_packages[@]} > 0))) $disk) at 100 Mbit/s"
}

# 12 MB/s from the network, and 40 MB/s for pip, which unpacks, compares and copies.
minutes() { # MB_TO_DOWNLOAD MB_ON_DISK
  local whole=$(($1 / 720 + $2 / 2400 + 1))
  printf '%s minute%s\n' "$whole" "$( ((whole == 1)) || printf s)"
}

# Runs a command whose words go to the log alone.
logged() {
  printf '\n+ %s\n' "$*" >>"$log"
  "$@" >>"$log" 2>&1
}

# As die, with the end of what the failed command said.
die_with_log() { # MESSAGE [HINT]
  tail -n 12 "$log" >&2
  die "$@"
}

# While pip installs, what it downloaded lies beside what it unpacked.
check_disk() {
  local part need=0 free
  for part in "${missing_parts[@]}"; do need=$((need + part_disk[$part] + part_download[$part])); done
  free=$(($(df -Pk "$state" | awk 'NR == 2 {print $4}') / 1024))
  ((free > need)) || die "$state: set-up needs $need MB while it runs, $free MB are free" "free some space, or give a LibTorch: ./scripts/setup.sh --torch DIR"
}

confirm() {
  if [[ "$ask" == no || -n "${CI:-}" || ! -t 0 || ! -t 2 ]]; then return; fi
  local answer
  read -r -p "continue? [Y/n] " answer
  [[ "$answer" == "" || "$answer" == [yY]* ]] || die "set-up stopped; nothing was changed"
}

# Without a terminal sudo must not wait for a password.
can_install_packages() { have apt-get && { ((EUID == 0)) || { have sudo && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; }; }; }

as_root() { if ((EUID == 0)); then "$@"; else sudo "$@"; fi; }

install_packages() {
  ((${#missing_packages[@]})) || return 0
  local by_hand="sudo apt-get install ${missing_packages[*]}"
  have apt-get || die "missing (Debian's names): ${missing_packages[*]}" "install them with this system's package manager, or build in a container: scripts/README.md, Without root"
  can_install_packages || die "missing packages, and neither root nor sudo to install them: ${missing_packages[*]}" "ask for: $by_hand; or build in a container: scripts/README.md, Without root"
  say "set-up: installing ${#missing_packages[@]} system packages"
  logged as_root apt-get update -q || say "apt-get update failed; trying with the lists that are here"
  logged as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing_packages[@]}" </dev/null ||
    die_with_log "apt-get could not install ${missing_packages[*]}" "$by_hand"
  find_missing_packages
  ((${#missing_packages[@]} == 0)) || die "still missing after apt-get: ${missing_packages[*]}" "$by_hand"
}

install_parts() {
  ((${#missing_parts[@]})) || return 0
  [[ -e "$venv" ]] || "$(find_python)" -m venv "$venv" || die "python3 could not make a virtual environment in $venv"
  mkdir -p "$venv/installed"
  touch "$venv/unfinished"
  local part
  for part in "${missing_parts[@]}"; do
    say "set-up: installing ${part_name[$part]} (about $(minutes "${part_download[$part]}" "${part_disk[$part]}"))"
    "install_${part//-/_}"
    touch "$venv/installed/$part"
  done
  rm -rf "$venv/unfinished" "$PIP_CACHE_DIR"
}

pip_install() {
  logged env -u PYTHONPATH -u PYTHONHOME PIP_USER=false "$venv/bin/python" -m pip install --disable-pip-version-check \
    --no-input --progress-bar off --only-binary=:all: "$@" ||
    die_with_log "pip could not install $*" "see pip's message above; a second run reuses what is already downloaded"
}

install_torch_cuda() { pip_install "torch==$torch_version.0"; }

# PyPI has only the CUDA wheel. Its CPU library needs two of the CUDA libraries and nothing of cuDNN, cuBLAS, NCCL and
# Triton, which are most of the download. `import torch` does not work with this; `pip install torch` completes it.
install_torch_cpu() { pip_install --no-deps "torch==$torch_version.0" nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85; }

install_cmake() { pip_install "cmake>=3.28"; }

install_ninja() { pip_install ninja; }

# The wheels lack two names that CMake and the linker look for.
install_nvcc() {
  pip_install "cuda-toolkit[nvcc,cccl,crt,nvvm]==13.0.2"
  local toolkit
  toolkit="$(site_packages)/nvidia/cu13"
  ln -sfn lib "$toolkit/lib64"
  ln -sf libcudart.so.13 "$toolkit/lib/libcudart.so"
}

# Of the wheel only the library is used: it needs LibTorch 2.10 or newer and nothing of Python. It is found beside a
# LibTorch from PyPI; another one needs FASTSTAR_FA3.
install_fa3() {
  local requirement="$TMPDIR/fa3.txt"
  echo "fa3-fwd==0.0.3 --hash=sha256:44d26c6cfc69dde5a0f9c6bebbccbb96ed20e97bc8b9ddda638b0bf62e91b93d" >"$requirement"
  pip_install --no-deps --require-hashes -r "$requirement"
  [[ "$(setting torch pypi)" == pypi ]] || say "set-up: with this LibTorch, run faststar with FASTSTAR_FA3=$(site_packages)/fa3_fwd"
}

main "$@"
