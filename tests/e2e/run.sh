#!/usr/bin/env bash
# End-to-end tests: real clients against the real daemon. Root, Debian 12, Python 3.11, Node 20, Chromium.
#
#   tests/e2e/run.sh                          all modules
#   tests/e2e/run.sh test_invoke              one module; test_invoke.Class.test_name also works
#
# OFFSHOOT_BIN                   the binary, default target/release/offshoot
# OFFSHOOT_E2E_SHARED_MACHINE=1  other programs make sandboxes at the same time: the machine's own counts of mounts,
#                                links and control groups are not compared
# OFFSHOOT_E2E_CLIENTS=1         also builds and runs the official Node and Rust runtime clients (official_clients.sh)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=$root/target/e2e-venv
export OFFSHOOT_BIN=${OFFSHOOT_BIN:-$root/target/release/offshoot}

[ -x "$OFFSHOOT_BIN" ] || { echo "e2e: $OFFSHOOT_BIN is missing: run make build" >&2; exit 3; }

# The stamp is the list itself: another list makes another environment.
if ! cat "$here"/requirements*.txt | cmp -s - "$venv/stamp"; then
    echo "e2e: making $venv" >&2
    rm -rf "$venv"
    /usr/bin/python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r "$here/requirements.txt"
    # Vendored into packages, so apart from the tests' own libraries.
    "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
        --target "$venv/ric" -r "$here/requirements-ric.txt"
    cat "$here"/requirements*.txt > "$venv/stamp"
fi

cd "$here"
export PYTHONDONTWRITEBYTECODE=1
if [ $# -gt 0 ]; then
    "$venv/bin/python" -W error::ResourceWarning -m unittest "$@"
else
    "$venv/bin/python" -m unittest discover -s . -t .
fi
if [ "${OFFSHOOT_E2E_CLIENTS:-}" = 1 ] && [ $# -eq 0 ]; then
    "$here/official_clients.sh"
fi
