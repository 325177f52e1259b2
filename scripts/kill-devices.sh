#!/usr/bin/env bash
# Kills or stops one of the processes of `t2v --devices LIST` at random times; checks that no process and no unfinished
# file stays, and that the exit code is that of a lost process.
#   scripts/kill-devices.sh [--devices cpu,cpu] [--rounds 20] [--signal KILL|STOP] [-- further words for t2v]
set -euo pipefail
program=${FASTSTAR_PROGRAM:-$(dirname "$0")/../.faststar/build/cli/faststar}
devices=cpu,cpu rounds=20 signal=KILL
while [ $# -gt 0 ]; do
  case $1 in
    --devices) devices=$2; shift 2 ;;
    --rounds) rounds=$2; shift 2 ;;
    --signal) signal=$2; shift 2 ;;
    --) shift; break ;;
    --help | -h) sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"; exit ;;
    *) echo "unknown word $1" >&2; exit 2 ;;
  esac
done
program=$(realpath "$program")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

run_t2v() { "$program" t2v -p "a red ball" --seed 1 --progress none -o video.mp4 --devices "$devices" "$@" >out 2>err; }
children_of() { cat "/proc/$1/task"/*/children 2>/dev/null || true; }

start=$(date +%s%N)
run_t2v "$@"
length=$((($(date +%s%N) - start) / 1000000))
rm -f video.mp4 out err
echo "a whole run: $length ms"

failures=0
for round in $(seq "$rounds"); do
  run_t2v "$@" &
  shell=$!
  delay=$((RANDOM * RANDOM % length))
  sleep "$(printf '%d.%03d' $((delay / 1000)) $((delay % 1000)))"
  parent=$(children_of $shell | tr -d ' ')
  read -r -a workers <<<"$(children_of "${parent:-0}")"
  victim="" number=none
  if [ ${#workers[@]} -gt 0 ]; then
    number=$((RANDOM % ${#workers[@]}))
    victim=${workers[$number]}
    kill -"$signal" "$victim" 2>/dev/null || victim=""
  fi
  began=$(date +%s%N)
  code=0
  wait $shell || code=$?
  took=$((($(date +%s%N) - began) / 1000000))
  left=""
  for process in $parent "${workers[@]}"; do if kill -0 "$process" 2>/dev/null; then left+=" $process"; fi; done
  # A video that was finished before is right; so are codes that are kept, and the lines say so.
  files=$(find . -mindepth 1 ! -name out ! -name err ! -name video.mp4 ! -name '*.codes.safetensors' | tr '\n' ' ')
  errors=$(grep -c '^error: ' err || true)
  verdict=ok
  if [ -n "$left$files" ]; then verdict="FAILED: left:$left $files"; fi
  if [ -e video.mp4 ] && ! "$program" info video.mp4 >info 2>&1; then verdict="FAILED: half a video"; fi
  if [ $code -eq 0 ] && [ ! -e video.mp4 ]; then verdict="FAILED: no video"; fi
  if [ $code -ne 0 ] && { [ $code -ne 70 ] || [ "$errors" -ne 1 ]; }; then verdict="FAILED: $errors errors"; fi
  echo "$round: process $number after $delay ms, ended after $took ms with exit code $code: $verdict"
  if [ "$verdict" != ok ]; then failures=$((failures + 1)); cat err; fi
  rm -rf ./* .[!.]* 2>/dev/null || true
done
echo "$failures of $rounds rounds failed"
[ $failures -eq 0 ]
