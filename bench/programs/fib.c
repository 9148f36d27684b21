/* Recursive Fibonacci number of n. */
#include "bench.h"

static int32_t fib(int32_t n) {
    if (n < 2) return n;
    return fib(n - 1) + fib(n - 2);
}

int64_t bench_main(int64_t n) { return fib((int32_t)n); }
