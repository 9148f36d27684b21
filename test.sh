#!/usr/bin/env bash
# All checks of the workspace: format, lints, tests (with doc tests), documentation.
# Needs nothing but the Rust toolchain; what needs more (a C compiler, LLVM) is skipped by name.
set -euo pipefail
cd "$(dirname "$0")"

step() {
    printf '== %s\n' "$*" >&2
    "$@"
}

packages=(--workspace)
if command -v llvm-config-22 >/dev/null || [ -n "${LLVM_SYS_221_PREFIX:-}" ]; then
    # The tests that run T3 find it beside the other executables.
    step cargo build -p cupola-llvm --locked
else
    echo "skipped: cupola-llvm, and tests of T3 in other crates (llvm-config-22 is not there; Debian's llvm-22-dev libpolly-22-dev zlib1g-dev libzstd-dev have it)" >&2
    packages+=(--exclude cupola-llvm)
fi

step cargo fmt --all --check
step cargo clippy "${packages[@]}" --all-targets --locked -- -D warnings
step cargo test "${packages[@]}" --locked
if ((${#packages[@]} == 1)); then
    # The peak compiler within the process is a feature of the engine that nothing else switches on.
    step cargo test -p cupola --features llvm --test in_process --locked
fi
RUSTDOCFLAGS="-D warnings" step cargo doc "${packages[@]}" --no-deps --locked
echo "== all checks passed" >&2
