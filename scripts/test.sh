#!/usr/bin/env bash
# The check of includes, set-up, build and all tests; the last line counts them.
#
#   ./scripts/test.sh [--asan] [CATCH_ARGUMENT]...
#
#   --asan            with the address and undefined-behaviour sanitizers, in a build folder of its own
#   CATCH_ARGUMENT    goes to the test program: "[star]", "a test's name", --list-tests
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

build="$state/build"
build_options=()
case "${1:-}" in
  --asan)
    build="$state/build-asan"
    build_options=(--asan)
    shift
    ;;
  --help | -h)
    print_help
    exit
    ;;
esac

# A test asks for more memory than there is, on purpose: that must come back as a failed allocation.
export ASAN_OPTIONS="allocator_may_return_null=1:detect_leaks=1:strict_string_checks=1:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"
# As the program does: threads that spin take the cores from the processes that tests start.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"

# `test cases: 45 | 43 passed | 2 failed` or `All tests passed (321 assertions in 45 test cases)` -> counts
count_line() {
  local passed failed
  passed=$(sed -n -e 's/^All tests passed (.* in \([0-9]*\) test cases\{0,1\})$/\1/p' -e 's/^test cases:.* \([0-9]*\) passed.*/\1/p' "$1" | tail -n 1)
  failed=$(sed -n 's/^test cases:.* \([0-9]*\) failed.*/\1/p' "$1" | tail -n 1)
  printf '%s passed, %s failed\n' "${passed:-0}" "${failed:-0}"
}

# CI compiles the CUDA kernels wherever a compiler is, also where no GPU can run them.
[[ -z "${CI:-}" ]] || export CUDA_NEEDS=compiler

"$root/scripts/arrows.sh" || die "these includes point the wrong way" "scripts/arrows.sh says which way is right"
"$root/scripts/build.sh" "${build_options[@]}"
status=0
"$build/tests/faststar_tests" "$@" 2>&1 | tee "$state/test.log" || status=$?
printf '%s%s\n' "$(count_line "$state/test.log")" "$( ((status == 0)) || printf ' (exit code %s)' "$status")"
exit "$status"
