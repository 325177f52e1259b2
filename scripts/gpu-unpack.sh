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
