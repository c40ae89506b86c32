#!/usr/bin/env bash
# The two phases of `make test`: everything that can share the machine, then the lab alone, since its tests measure time.
set -euo pipefail
python=$1
started=$SECONDS
failed=0
phase() {
    local name=$1 begin=$SECONDS
    shift
    echo "== $name"
    "$@" || failed=1
    echo "== $name: $((SECONDS - begin)) s"
}
phase "tests without the lab" "$python" -m pytest -q -n2 -m "not lab"
phase "tests on the lab" "$python" -m pytest -q -n0 -m lab
echo "== all: $((SECONDS - started)) s"
exit "$failed"
