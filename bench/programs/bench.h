/* What every native program shares. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>

/* The program: `n` sets how much work it does; the result is a checksum. */
int64_t bench_main(int64_t n);

#define SEED 88172645463325252ULL

/* Marsaglia's xorshift64. */
static inline uint64_t xorshift(uint64_t x) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

#endif
