#!/usr/bin/env bash
# All checks of the workspace: format, lints, tests (with doc tests), documentation.
# Needs nothing but the Rust toolchain; what needs more (a C compiler) is skipped by name.
set -euo pipefail
cd "$(dirname "$0")"

step() {
    printf '== %s\n' "$*" >&2
    "$@"
}

step cargo fmt --all --check
step cargo clippy --workspace --all-targets --locked -- -D warnings
step cargo test --workspace --locked
RUSTDOCFLAGS="-D warnings" step cargo doc --workspace --no-deps --locked
echo "== all checks passed" >&2
