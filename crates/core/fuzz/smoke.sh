#!/bin/sh
# Fuzzes each reader for some seconds, those of the core and of larder-compose: `smoke.sh [target ...]`, FUZZ_SECONDS=10.
#
# libFuzzer wants code that counts the edges it takes. Stable compilers can write it, by the flags that cargo-fuzz passes
# too; only the sanitizers need nightly, and safe code has little for them to find.
set -eu

crates=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${FUZZ_SECONDS:-10}
host=$(rustc -vV | sed -n 's/^host: //p')
# Beside what is built for tests, which it would otherwise displace.
target=$(cd "$crates/.." && pwd)/target/fuzz

command -v c++ >/dev/null || command -v clang++ >/dev/null || {
    echo "fuzz-smoke: libFuzzer is C++ and there is no C++ compiler (apt-get install g++)" >&2
    exit 1
}

coverage="-Cpasses=sancov-module"
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    coverage="$coverage -Cllvm-args=-sanitizer-coverage-$option"
done

for here in "$crates/core/fuzz" "$crates/compose/fuzz"; do
    names=""
    for name in $(ls "$here/corpus"); do
        case " $* " in "  " | *" $name "*) names="$names $name" ;; esac
    done
    [ -n "$names" ] || continue
    RUSTFLAGS="$coverage" cargo build --release --manifest-path "$here/Cargo.toml" --target "$host" --target-dir "$target"
    for name in $names; do
        # What it breeds goes to found/ and what it breaks to artifacts/; neither is committed.
        mkdir -p "$here/found/$name" "$here/artifacts/$name"
        echo "fuzz-smoke: $name, $seconds s"
        log="$here/artifacts/$name/log"
        "$target/$host/release/$name" -max_total_time="$seconds" -max_len=512 -artifact_prefix="$here/artifacts/$name/" \
            "$here/found/$name" "$here/corpus/$name" >"$log" 2>&1 || {
            cat "$log" >&2
            echo "fuzz-smoke: $name fails; the input is in $here/artifacts/$name" >&2
            exit 1
        }
        tail -n 1 "$log"
    done
done
