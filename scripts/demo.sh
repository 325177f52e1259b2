#!/usr/bin/env bash
# Set-up, build, and a first video; the last line is its path.
#
#   ./scripts/demo.sh ["prompt"]
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

if [[ "${1:-}" == --help || "${1:-}" == -h ]]; then
  print_help
  exit
fi
prompt=${1-"A red balloon rises over a green field, the camera follows it."}

"$root/scripts/build.sh" --target faststar >&2
mkdir -p "$state/demo"
say "demo: a tiny model with random weights, so the video shows that everything works and not what the prompt says"
"$state/build/cli/faststar" t2v --random-weights --config tiny --seed 1 --prompt "$prompt" --output "$state/demo/video.mp4" --overwrite
