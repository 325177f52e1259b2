# shellcheck shell=bash
# Sourced by the scripts that run on a GPU machine: unpack_bundle puts the programs of a bundle of gpu-bundle.sh on the
# path, with the libraries they need. They look for presets and the embedded model in ../share/faststar; here that is
# the source tree. PYTHON names the python that has torch (python3).
unpack_bundle() {
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  tar -C "$work" -xf "$1"
  mkdir "$work/share"
  ln -s "$root" "$work/share/faststar"
  local torch
  torch=$("${PYTHON:-python3}" -c 'import os, torch; print(os.path.dirname(torch.__file__))')
  export LD_LIBRARY_PATH="$work/lib:$torch/lib:$torch/../nvidia/cu13/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  export PATH="$work/bin:$PATH" FASTSTAR_PROGRAM="$work/bin/faststar"
}

# begin_gpu_run WORDS BUNDLE OUTPUT_FOLDER...: prints the help when there are fewer than WORDS words behind it. Else
# unpacks the bundle, sets `out` to the output folder and notes the GPUs there.
begin_gpu_run() {
  if (($# <= $1)); then
    print_help
    exit 2
  fi
  mkdir -p "$3" "$TMPDIR"
  out=$(realpath "$3")
  unpack_bundle "$(realpath "$2")"
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | tee "$out/machine.txt"
}
