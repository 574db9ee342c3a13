#!/usr/bin/env bash
# The gate, the same here and in CI. --fast is the edit loop: formatting, lints and unit tests.
set -euo pipefail
cd "$(dirname "$0")/.."
fast=no
[ "${1:-}" = "--fast" ] && fast=yes

step() { printf '\n== %s\n' "$*"; }

step "format"
cargo fmt --check

step "lints"
cargo clippy --quiet --all-targets -- -D warnings

if [ "$fast" = yes ]; then
    step "unit tests"
    cargo test --quiet --lib
    exit 0
fi

step "the library without features"
cargo check --quiet --lib --no-default-features

step "tests"
cargo test --quiet

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --document-private-items

step "supply chain"
if command -v cargo-deny >/dev/null; then
    cargo deny --config .ci/deny.toml check licenses bans sources
else
    echo "cargo-deny is not installed: licences, bans and sources were not checked"
fi

step "fuzz targets"
if [ -d tests/fuzz ] && command -v cargo-fuzz >/dev/null; then
    for target in $(cargo fuzz list --fuzz-dir tests/fuzz); do
        cargo fuzz run --fuzz-dir tests/fuzz "$target" -- -runs=0
    done
else
    echo "cargo-fuzz is not installed: the targets were not run over their seeds"
fi

step "all of it passed"
