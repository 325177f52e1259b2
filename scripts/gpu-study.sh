#!/usr/bin/env bash
# Runs a study of token reduction on a GPU machine that has PyTorch 2.11 but no build tools, from a bundle of
# gpu-bundle.sh and this source tree: PROCESSES share the GPUs and the prompts for SECONDS. Leaves results,
# study.json, study.html and the table (study.md) in the output folder; earlier results are continued.
#
#   ./scripts/gpu-study.sh BUNDLE.tar.xz OUTPUT_FOLDER PROCESSES SECONDS [EARLIER_RESULTS_FOLDER|-] [faststar study reduction options]...
#
# PYTHON names the python that has torch (python3).
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
source "$(dirname "${BASH_SOURCE[0]}")/gpu-unpack.sh"

begin_gpu_run 4 "$@"
processes=$3
seconds=$4
earlier=${5:--}
shift $(($# < 5 ? 4 : 5))

if [[ $earlier != - ]]; then
  cp "$earlier"/results*.jsonl "$out/"
  cp "$earlier"/runs*.jsonl "$out/" 2>/dev/null || true # older results have none
fi

# One thread each: the processes share the CPU cores, and the GPUs do the work.
export OMP_NUM_THREADS=1
gpus=$(nvidia-smi --list-gpus | wc -l)
running=()
for ((part = 1; part <= processes; part++)); do
  timeout --signal=INT --kill-after=60 "$seconds" faststar study reduction --out "$out" --shard "$part/$processes" \
    --device "cuda:$((part % gpus))" --progress plain "$@" 2>"$out/study-$part.log" &
  running+=($!)
done
# 130 and 124: stopped by the time limit; a later run continues.
failed=0
for process in "${running[@]}"; do
  status=0
  wait "$process" || status=$?
  ((status == 0 || status == 124 || status == 130)) || failed=$status
done
((failed == 0)) || tail -n 3 "$out"/study-*.log >&2
faststar study reduction --out "$out" --report | tee "$out/study.md"
wc -l "$out"/results*.jsonl
exit "$failed"
