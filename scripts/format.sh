#!/usr/bin/env bash
# clang-format over our sources, in place; with --check it changes nothing and fails where something would change.
#
#   ./scripts/format.sh [--check]
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

how=(-i)
case "${1:-}" in
  "") ;;
  --check) how=(--dry-run --Werror) ;;
  *)
    print_help
    exit
    ;;
esac
have clang-format || die "no clang-format" "sudo apt-get install clang-format"
cd "$root"
git ls-files -z --cached --others --exclude-standard -- '*.h' '*.cpp' '*.cuh' '*.cu' | xargs -0 clang-format "${how[@]}"
