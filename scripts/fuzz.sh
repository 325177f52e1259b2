#!/usr/bin/env bash
# Set-up, build with sanitizers, and damaged files for every reader of foreign files, many at once. Inputs that end badly
# go to .faststar/faults. tests/fuzz/README.md says more.
#
#   ./scripts/fuzz.sh [--jobs N] [RUN_OPTION]...
#
#   --jobs N     readers that run at once (the number of cores)
#   RUN_OPTION   --inputs N (20000 of each reader), --seconds N, --seed N
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

jobs=$(nproc)
case "${1:-}" in
  --jobs)
    (($# > 1)) || die "--jobs needs a number" "./scripts/fuzz.sh --jobs 4"
    jobs=$2
    shift 2
    ;;
  --help | -h)
    print_help
    exit
    ;;
esac

"$root/scripts/build.sh" --asan -DFASTSTAR_FUZZ=ON --target faststar_fuzz
fuzz="$state/build-asan/tests/faststar_fuzz"
"$fuzz" list | xargs -P "$jobs" -I NAME "$fuzz" run NAME --faults "$state/faults" "$@"
