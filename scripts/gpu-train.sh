#!/usr/bin/env bash
# Trains on a GPU machine that has PyTorch 2.11 but no build tools, from a bundle of gpu-bundle.sh and this source tree,
# for SECONDS, and leaves in the output folder what is small enough to carry: log, plot, samples, the pack from which
# the next call resumes (here or on another machine), and the model when it is finished.
#
#   ./scripts/gpu-train.sh BUNDLE.tar.xz OUTPUT_FOLDER SECONDS STAGE [EARLIER_PACK_FOLDER|-] [faststar train options]...
#
# PYTHON names the python that has torch (python3).
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
source "$(dirname "${BASH_SOURCE[0]}")/gpu-unpack.sh"

begin_gpu_run 4 "$@"
seconds=$3
stage=$4
pack=${5:--}
shift $(($# < 5 ? 4 : 5))

run="$work/run/$stage"
mkdir -p "$run"
[[ $pack == - ]] || cp -r "$pack" "$run/pack"
status=0
nvidia-smi --query-gpu=timestamp,index,memory.used,utilization.gpu --format=csv,noheader --loop=10 >"$out/gpu.csv" &
trap 'kill $! || true; rm -rf "$work"' EXIT
faststar train --out "$work/run" --stage "$stage" --stop-after "$seconds" --progress none "$@" 2>&1 | tee "$out/train.log" || status=${PIPESTATUS[0]}
for part in log.jsonl loss.svg samples pack model; do
  [[ ! -e $run/$part ]] || cp -r "$run/$part" "$out/"
done
exit "$status"
