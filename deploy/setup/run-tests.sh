#!/usr/bin/env bash
# The two phases of `make test`: everything that can share the machine, then the lab alone, since its tests measure time.
# Real servers on a busy host now and then lose a second: a failure gets one more go, and every such go is listed (RERUN).
# A test that fails twice fails the suite. `make test-unit` and `make test-lab` give no second go.
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
phase "tests without the lab" "$python" -m pytest -q -n3 --reruns 1 -raR --rerun-show-tracebacks -m "not lab"
phase "tests on the lab" "$python" -m pytest -q -n0 --reruns 1 -raR --rerun-show-tracebacks -m lab
echo "== all: $((SECONDS - started)) s"
exit "$failed"
