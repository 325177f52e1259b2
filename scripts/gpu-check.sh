#!/usr/bin/env bash
# Everything that needs a GPU, on a machine that has PyTorch 2.11 but no build tools, from a bundle of gpu-bundle.sh and
# this source tree: all tests, compute-sanitizer on the kernels, verify, and full-size videos with random weights
# from words, pictures and videos.
# Writes a log a group, verify's JSON and results.jsonl (step, exit code, seconds) to the output folder.
#
#   ./scripts/gpu-check.sh BUNDLE.tar.xz OUTPUT_FOLDER [tests|kernels|verify|videos|sources|bench|start]...
#
# Exits 1 when a step failed. PYTHON names the python that has torch (python3).
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
source "$(dirname "${BASH_SOURCE[0]}")/gpu-unpack.sh"

begin_gpu_run 2 "$@"
shift 2
(($#)) || set -- tests kernels verify videos sources
golden="$root/tests/golden"
export FASTSTAR_GOLDEN="$golden"
failed=0

# step NAME OUTPUT LOG COMMAND...: runs it, notes how it ended and how long it took.
step() {
  local name=$1 output=$2 log=$3 status=0 start=$EPOCHREALTIME
  shift 3
  say "== $name"
  "$@" >>"$out/$output" 2>>"$out/$log" || status=$?
  ((status == 0)) || failed=1
  awk -v name="$name" -v status="$status" -v start="$start" -v end="$EPOCHREALTIME" 'BEGIN {
    printf "{\"step\":\"%s\",\"exit_code\":%d,\"seconds\":%.1f}\n", name, status, end - start }' | tee -a "$out/results.jsonl"
}

check_tests() { step tests tests.log tests.log faststar_tests; }

check_kernels() {
  local tool
  for tool in memcheck racecheck; do
    step "$tool" kernels.log kernels.log compute-sanitizer --tool "$tool" --error-exitcode 9 faststar_tests "[kernels]"
  done
}

check_verify() {
  local precision
  for precision in fp32 bf16 fp8; do
    step "verify-$precision" "verify-$precision.json" verify.log faststar verify "$golden" --json --device cuda --precision "$precision"
  done
}

check_videos() {
  local prompt="A red balloon rises over a green field, the camera follows it." size duration
  local options=(--random-weights --device cuda --seed 1 --progress plain --prompt "$prompt" --overwrite)
  for size in 720p-5 480p-5 480p-10; do
    duration=${size#*-}
    step "t2v-${size}s" videos.log videos.log faststar t2v --config "${size%-*}" --duration "$duration" "${options[@]}" --output "$work/$size.mp4"
  done
  step t2i-720p videos.log videos.log faststar t2i --config 720p "${options[@]}" --output "$work/720p.png"
}

# Image to video, continued videos, interactive, and what else a run can do.
check_sources() {
  local options=(--random-weights --device cuda --seed 1 --progress json --overwrite)
  local prompt=(--prompt "The boats rock, gulls fly past.")
  step t2i-source videos.log videos.log faststar t2i --config 720p "${prompt[@]}" "${options[@]}" --output "$work/source.png"
  step t2v-source videos.log videos.log faststar t2v --config 480p "${prompt[@]}" "${options[@]}" --output "$work/source.mp4"
  step i2v-720p-5s videos.log videos.log faststar i2v --config 720p --image "$work/source.png" "${prompt[@]}" "${options[@]}" --output "$work/i2v.mp4"
  step v2v-480p-10s videos.log videos.log faststar v2v --config 480p --video "$work/source.mp4" "${prompt[@]}" "${options[@]}" --output "$work/v2v.mp4"
  printf 'She walks on.\nShe turns around.\n' >"$work/story.txt"
  step interact-480p videos.log videos.log faststar interact "$work/story.txt" --config 480p-interact --video "$work/source.mp4" "${options[@]}" --output "$work/story.mp4"
  step t2v-480p-vram videos.log videos.log faststar t2v --config 480p --vram 24 "${prompt[@]}" "${options[@]}" --output "$work/small.mp4"
  step t2v-480p-preview videos.log progress.jsonl faststar t2v --config 480p --preview "$work/preview.mp4" "${prompt[@]}" "${options[@]}" --output "$work/preview-of.mp4"
}

# Whole videos, dense and reduced, stage by stage; every operation; decode, encoding and files. Tables go to bench.log.
check_bench() {
  local options=(--random-weights --device cuda --progress plain --json)
  step bench-720p bench-720p.json bench.log faststar bench --config 720p --against faststar-720p "${options[@]}"
  step bench-480p bench-480p.json bench.log faststar bench --config 480p --against faststar-480p "${options[@]}" --runs 3
  options=(--config faststar-720p --random-weights --device cuda --json)
  step bench-ops bench-ops.json bench.log faststar bench ops "${options[@]}"
  step bench-media bench-media.json bench.log faststar bench media "${options[@]}"
  step bench-media-480p bench-media-480p.json bench.log faststar bench media --config 480p --random-weights --device cuda --json
}

# A model of random weights as models are released, and converted: what a start costs by part, and the same video from
# both. Needs 45 GB of disk. compare.json has to say 81 identical frames.
check_start() {
  local form options=(--device cuda --progress plain --seed 1 --lossless --overwrite)
  step start-official start-official.json start.log faststar bench start --config 720p --random-weights --device cuda --write "$work/official" --json
  step convert convert.json start.log faststar convert "$work/official" -o "$work/converted" --progress plain --json
  step start-converted start-converted.json start.log faststar bench start --model "$work/converted" --device cuda --json
  for form in official converted; do
    step "t2v-$form" start.log start.log faststar t2v --model "$work/$form" --config faststar-720p "${options[@]}" \
      --prompt "A red balloon rises over a green field." --output "$work/$form.mkv"
  done
  step compare compare.json start.log faststar compare "$work/official.mkv" "$work/converted.mkv" --json
}

for group in "$@"; do
  case "$group" in
    tests) check_tests ;;
    kernels) check_kernels ;;
    verify) check_verify ;;
    videos) check_videos ;;
    sources) check_sources ;;
    bench) check_bench ;;
    start) check_start ;;
    *) die "gpu-check.sh: unknown group $group" "./scripts/gpu-check.sh" ;;
  esac
done
exit "$failed"
