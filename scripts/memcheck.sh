#!/usr/bin/env bash
# Valgrind's memcheck over the tests of crates with `unsafe` and of the formats: memory that was never written, was
# freed, or is not the program's. A planted bug must be found first.
#
# A process that a test makes is watched until it executes another program, and reports nothing. The stub is not watched:
# it is such a program, and replaces its whole address space, valgrind's part included.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v valgrind >/dev/null || { echo "memcheck: valgrind is missing: apt-get install valgrind" >&2; exit 3; }
checker="valgrind --quiet --error-exitcode=9 --leak-check=no --fair-sched=yes --child-silent-after-fork=yes"
say() { printf 'memcheck: %s\n' "$*"; }

# A branch that depends on memory which was never written.
control() {
    local folder=$1
    cat >"$folder/planted.rs" <<'RUST'
fn main() {
    let fresh = Vec::<u8>::with_capacity(64);
    // SAFETY: none; the bytes were never written.
    let byte = unsafe { fresh.as_ptr().add(7).read_volatile() };
    std::process::exit(i32::from(byte == 42));
}
RUST
    rustc -O -o "$folder/planted" "$folder/planted.rs"
    local status=0
    $checker "$folder/planted" 2>/dev/null || status=$?
    [ "$status" = 9 ] || { say "the planted bug was NOT found (status $status)" >&2; return 1; }
    say "the planted bug was found"
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
control "$folder"
check() {
    # `pidfd_open` is no call that valgrind knows: it answers that there is none.
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER=$checker cargo test --quiet --locked "$@" -- --test-threads=1 --skip pidfd::
    say "$*: nothing found"
}

# All tests of the formats but `round_trip` and `tampering`, which are without `unsafe` and take 20 s each. Threads
# are one at a time under valgrind: races are loom's.
check -p offshoot-sys -p offshoot-trace -p offshoot-plan --lib --tests
check -p offshoot-image --lib --test machines --test mutations --test rules --test summaries
