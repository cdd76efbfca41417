#!/usr/bin/env bash
# Fuzzes every decoder of hostile bytes for FUZZ_SECONDS seconds each (10). Stable compiler: the instrumentation is
# LLVM's own, asked for by codegen flags, and libFuzzer comes as source in a crate.
#
#     scripts/fuzz.sh                     every target
#     scripts/fuzz.sh plan reply          these targets
#     scripts/fuzz.sh --control           planted bugs only: each must be found
#     scripts/fuzz.sh --again plan FILE   one input again
#
# Fails at a panic, at an input that takes 5 s, or at 512 MiB of memory. What is learned stays in target/fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-10}
target_dir=${FUZZ_TARGET_DIR:-$PWD/target/fuzz}
triple=x86_64-unknown-linux-gnu
programs=$target_dir/$triple/release
limits=(-timeout=5 -rss_limit_mb=512 -malloc_limit_mb=512 -max_len=8192 -use_value_profile=1)
say() { printf 'fuzz: %s\n' "$*"; }

build() {
    # With --target, so that build scripts and procedural macros are not instrumented.
    RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing" \
        cargo build --quiet --release --locked --manifest-path fuzz/Cargo.toml \
        --target "$triple" --target-dir "$target_dir"
}

# One target: its last lines, if it failed, and how to see that again.
run() {
    local target=$1 corpus=$target_dir/corpus/$1 found=$target_dir/found/$1
    mkdir -p "$corpus" "$found"
    if "$programs/$target" "${limits[@]}" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$found/" "$corpus" "$target_dir/samples/$target" >"$found/log" 2>&1; then
        say "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$found/log") inputs, nothing found"
        return
    fi
    grep -aE "panicked at|ERROR: libFuzzer|SUMMARY" -A1 "$found/log" >&2 || tail -5 "$found/log" >&2
    local input
    input=$(sed -n 's/.*Test unit written to //p' "$found/log" | tail -1)
    say "$target FAILED with the input ${input:-none}; again: scripts/fuzz.sh --again $target ${input:-FILE}" >&2
    return 1
}

# A planted bug: found, and found as what it is. Ten random seeds led to the hardest of them within 5 s each.
control() {
    local planted=$1 timeout_s=$2 expected=$3 found
    found=$(mktemp -d)
    OFFSHOOT_CONTROL=$planted "$programs/control" "${limits[@]}" "-timeout=$timeout_s" -seed=1 -max_total_time=40 \
        -artifact_prefix="$found/" "$found" "$target_dir/samples/control" >"$found/log" 2>&1 && {
        say "the planted bug '$planted' was NOT found" >&2
        return 1
    }
    grep -aqE "$expected" "$found/log" || {
        say "the planted bug '$planted' was found as something else:" >&2
        tail -5 "$found/log" >&2
        return 1
    }
    say "the planted bug '$planted' was found"
    rm -rf "$found"
}

controls() {
    control steps 5 "planted: found step by step"
    control digest 5 "planted: found behind the digest"
    control hang 1 "libFuzzer: timeout"
    # Filling memory takes longer than a second where others build.
    control memory 20 "libFuzzer: out-of-memory"
}

build
rm -rf "$target_dir/samples"
OFFSHOOT_SAMPLES=$target_dir/samples "$programs/control" >/dev/null 2>&1
case ${1:-} in
--control)
    controls
    exit
    ;;
--again)
    exec "$programs/$2" "${limits[@]}" "$3"
    ;;
esac
controls
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(find "$target_dir/samples" -mindepth 1 -printf '%f\n' -prune | grep -v '^control$' | sort)
export -f run say
export target_dir programs seconds
limits_text=${limits[*]}
export limits_text
printf '%s\n' "${targets[@]}" |
    xargs -P "$(nproc)" -I{} bash -c 'set -euo pipefail; read -ra limits <<<"$limits_text"; run {}'
