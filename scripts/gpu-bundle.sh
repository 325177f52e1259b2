#!/usr/bin/env bash
# Packs what gpu-check.sh needs on a GPU machine beside this source tree: the programs of a CUDA build, stripped, the
# shared libraries that machine lacks (FFmpeg, Little CMS, SentencePiece, yaml-cpp, fmt) and FlashAttention-3 where set-up
# has installed it.
#
#   ./scripts/gpu-bundle.sh BUILD_FOLDER LIBRARY_FOLDER BUNDLE.tar.xz
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

if (($# != 3)); then
  print_help
  exit 2
fi
mkdir -p "$TMPDIR"
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir "$stage/bin" "$stage/lib"
for program in cli/faststar tests/faststar_tests; do
  [[ -x "$1/$program" ]] || die "$1: no $program in it" "./scripts/build.sh"
  strip -o "$stage/bin/${program#*/}" "$1/$program"
done
fa3="$(site_packages)/fa3_fwd/_C.abi3.so"
[[ ! -e "$fa3" ]] || install -D "$fa3" "$stage/lib/fa3_fwd/_C.abi3.so"
cp -L "$2"/*.so* "$stage/lib/"
# SentencePiece (both halves), fmt and Little CMS are those that the programs were linked with, whatever the folder has.
cp -L $(ldd "$1/cli/faststar" | awk '/libsentencepiece|libfmt|liblcms2/ { print $3 }') "$stage/lib/"
tar -C "$stage" -c bin lib | xz -9e -T1 >"$3"
say "$3: $(du -h "$3" | cut -f1)"
