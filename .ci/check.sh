#!/usr/bin/env bash
# The gate, the same here and in CI. --fast is the edit loop: formatting, lints and unit tests.
set -euo pipefail
cd "$(dirname "$0")/.."
fast=no
[ "${1:-}" = "--fast" ] && fast=yes

# The tables are built with the rest, and with the same features in every step, so that nothing is built twice.
with=(--features columnar)

step() { printf '\n== %s\n' "$*"; }

step "format"
cargo fmt --check

step "lints"
cargo clippy --quiet --all-targets "${with[@]}" -- -D warnings

if [ "$fast" = yes ]; then
    step "unit tests"
    cargo test --quiet --lib "${with[@]}"
    exit 0
fi

step "the library without features"
cargo check --quiet --lib --no-default-features

step "tests"
cargo test --quiet --no-run "${with[@]}"
# Those that measure memory run one after the other and leave a core idle: they run beside the rest.
aside=(bounded keyed_bounded)
others=()
for file in tests/*.rs; do
    name=$(basename "$file" .rs)
    [[ " ${aside[*]} " == *" $name "* ]] || others+=(--test "$name")
done
log=$(mktemp)
cargo test --quiet "${with[@]}" "${aside[@]/#/--test=}" >"$log" 2>&1 &
beside=$!
trap 'kill $beside 2>/dev/null || true' EXIT
cargo test --quiet "${with[@]}" --lib --bins "${others[@]}"
cargo test --quiet "${with[@]}" --doc
wait "$beside" || { cat "$log"; exit 1; }
trap - EXIT
cat "$log"
rm "$log"

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet "${with[@]}" --no-deps --document-private-items

step "supply chain"
if command -v cargo-deny >/dev/null; then
    cargo deny --config .ci/deny.toml check licenses bans sources
else
    echo "cargo-deny is not installed: licences, bans and sources were not checked"
fi

step "fuzz targets"
cargo fmt --check --manifest-path tests/fuzz/Cargo.toml
if cargo +nightly --version >/dev/null 2>&1; then
    # The targets as a fuzzer runs them, each over every capture; without the counters that only a search needs.
    cp Cargo.lock tests/fuzz/Cargo.lock
    host=$(rustc -vV | sed -n 's/^host: //p')
    RUSTFLAGS="-Zsanitizer=address --cfg fuzzing" cargo +nightly build --quiet --bins \
        --manifest-path tests/fuzz/Cargo.toml --target "$host"
    # What is found goes into a folder of its own, and never among the captures.
    found=$(mktemp -d)
    run() {
        mkdir "$found/$1"
        "tests/fuzz/target/$host/debug/$1" "$found/$1" captures -runs=0 -artifact_prefix="$found/" \
            >"$found/$1.log" 2>&1 || { cat "$found/$1.log"; return 1; }
    }
    export -f run
    export found host
    targets=$(sed -n '/^\[\[bin\]\]/,/^path/s/^name = "\(.*\)"/\1/p' tests/fuzz/Cargo.toml)
    xargs -P 2 -I '{}' bash -c 'run {}' <<<"$targets"
    rm -r "$found"
else
    echo "a nightly compiler is not installed: fuzz_seeds ran the entries, the targets of the fuzzer were not built"
fi

step "all of it passed"
