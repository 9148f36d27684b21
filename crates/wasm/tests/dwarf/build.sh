#!/bin/sh
# Builds nested.wasm with DWARF whose paths are relative to this directory. Linked by a command of
# its own, since clang would run a wasm-opt that it finds, which throws the line table away.
set -eu
cd "$(dirname "$0")"
object=$(mktemp)
trap 'rm -f "$object"' EXIT
clang-16 --target=wasm32-wasi -O1 -g -fdebug-compilation-dir=. -c -o "$object" nested.c
wasm-ld-16 --no-entry -o nested.wasm "$object"
