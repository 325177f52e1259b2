#!/usr/bin/env bash
# Checks that includes point one way, from the commands down to the kernels' declarations:
#
#   cli -> core/lab -> core/pipeline -> core/config -> core/model, core/media -> core/base -> cuda/*.h
#
# A file includes its own room and the rooms below it. model and media do not include each other; inside model, star
# includes reduce, pyramid, layers and quantize, reduce includes pyramid, t5 and vae include layers, which include
# quantize. libav headers belong to
# core/media, CLI11 to cli, yaml-cpp to core/config; cuda/*.h are plain declarations without headers of CUDA or LibTorch.
#
#   ./scripts/arrows.sh
#
# Prints file:line of each include that breaks this, and exits 1 when there is one.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

(($# == 0)) || {
  print_help
  exit
}
cd "$root"
# shellcheck disable=SC2016  # awk's own
find cli core cuda -name '*.h' -o -name '*.cpp' -o -name '*.cuh' -o -name '*.cu' | sort | xargs awk '
  BEGIN {
    split("cuda core/base core/media core/model core/config core/pipeline core/lab cli", order, " ")
    for (i in order) height[order[i]] = i + 0
    split("star:reduce star:pyramid star:layers star:quantize reduce:pyramid t5:layers vae:layers layers:quantize", pairs, " ")
    for (i in pairs) allowed[pairs[i]] = 1
    owner["libav"] = owner["libsw"] = "core/media"
    owner["CLI/"] = "cli"
    owner["yaml-cpp/"] = "core/config"
  }
  function room(path, part) {
    split(path, part, "/")
    return part[1] == "core" ? part[1] "/" part[2] : part[1]
  }
  function part_of_model(path, part) {
    split(path, part, "/")
    sub(/\.(h|cpp)$/, "", part[3])  # core/model/t5.h is the part t5
    return part[3]
  }
  function wrong(why) {
    printf "%s:%d: %s: %s\n", FILENAME, FNR, $0, why
    failed = 1
  }
  !/^ *# *include/ { next }
  {
    from = room(FILENAME)
    name = $0
    gsub(/^[^<"]*[<"]|[>"].*$/, "", name)
    for (start in owner) {
      if (index(name, start) == 1 && from != owner[start]) wrong("only " owner[start] " includes this library")
    }
    if (FILENAME ~ /^cuda\/.*\.h$/ && name ~ /^(ATen|c10|torch|cub|thrust|cuda_)/) wrong("cuda/*.h are plain declarations")
  }
  /"/ {
    to = room(name)
    if (!(to in height)) {
      wrong("not a path from the root of the source tree")
    } else if (from != to) {
      if (!(from in height)) next  # core/pch.h
      if (height[to] > height[from] || (from == "core/model" && to == "core/media")) wrong(from " does not include " to)
      if (name ~ /\.cuh$/) wrong("only cuda includes this")
    } else if (from == "core/model") {
      own = part_of_model(FILENAME)
      other = part_of_model(name)
      if (own != other && !((own ":" other) in allowed)) wrong("core/model/" own " does not include " other)
    }
  }
  END { exit failed }
' || exit 1
