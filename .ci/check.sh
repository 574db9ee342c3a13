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
if command -v cargo-fuzz >/dev/null && cargo +nightly --version >/dev/null 2>&1; then
    found=$(mktemp -d)
    for target in $(cargo fuzz list --fuzz-dir tests/fuzz); do
        # What is found goes into the first folder, and never among the captures.
        cargo +nightly fuzz run --fuzz-dir tests/fuzz "$target" "$found" captures -- -runs=0
    done
    rm -r "$found"
else
    echo "cargo-fuzz or a nightly compiler is not installed: fuzz_seeds ran the entries, no fuzzer did"
fi

step "all of it passed"
