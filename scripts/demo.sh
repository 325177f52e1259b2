#!/usr/bin/env bash
# Set-up, build, and a first video; the last line is its path.
#
#   ./scripts/demo.sh ["prompt"]
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

if [[ "${1:-}" == --help || "${1:-}" == -h ]]; then
  print_help
  exit
fi
prompt=${1-"a red ball bouncing on a blue striped background"}

"$root/scripts/build.sh" --target faststar >&2
mkdir -p "$state/demo"
say "demo: the embedded model knows simple shapes that move over plain backgrounds (prompts/shapes.txt) and nothing else"
env -u FASTSTAR_MODEL "$state/build/cli/faststar" t2v --seed 1 --prompt "$prompt" --output "$state/demo/video.mp4" --overwrite
