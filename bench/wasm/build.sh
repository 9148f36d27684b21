#!/bin/sh
# Builds the corpus: programs/NAME.c to NAME.wasm and, into expected/NAME.txt, what the native program
# prints at the smallest size of sizes.txt. Needs Debian's clang-16, lld-16, llvm-16, wasi-libc and
# libclang-rt-16-dev-wasm32; the results are committed, so that nobody needs these to run them.
set -eu
cd "$(dirname "$0")"
clang=${CLANG:-clang-16}
objcopy=${OBJCOPY:-llvm-objcopy-16}
# What clang has switched on by itself for WebAssembly from version 20 on.
features="-mbulk-memory -mnontrapping-fptoint -msign-ext -mmutable-globals"
common="-std=c11 -O3 -Wall -Wextra -Werror -ffp-contract=off -fno-math-errno"
native=$(mktemp)
object=$(mktemp)
trap 'rm -f "$native" "$object"' EXIT

# Compiles source $1 to module $2, with more features. Linking is a step of its own, without -O, so
# that clang does not run wasm-opt over the module where that happens to be installed.
wasm() {
    source=$1 module=$2
    shift 2
    # shellcheck disable=SC2086
    "$clang" --target=wasm32-wasi --sysroot=/usr $common $features "$@" -c "$source" -o "$object"
    "$clang" --target=wasm32-wasi --sysroot=/usr "$object" -o "$module"
    # The C library's debug information goes, names of functions stay.
    "$objcopy" --strip-debug "$module"
    chmod 644 "$module"
}

mkdir -p expected
wasm trivial.c trivial.wasm
grep -v '^#' sizes.txt | while read -r name size _; do
    case $name in
    # Loops that C compilers turn into vector code natively.
    matmul | convolve) wasm "programs/$name.c" "$name.wasm" -msimd128 ;;
    *) wasm "programs/$name.c" "$name.wasm" ;;
    esac
    # shellcheck disable=SC2086
    "$clang" $common "programs/$name.c" -o "$native"
    "$native" "$size" >"expected/$name.txt"
done
