/* n rows of products of two 64 x 64 matrices of doubles with random entries. */
#include "bench.h"
#include <string.h>

#define D 64
static double a[D][D], b[D][D], c[D][D];

static uint64_t fill(double m[D][D], uint64_t x) {
    for (int32_t i = 0; i < D; i++) {
        for (int32_t j = 0; j < D; j++) {
            x = xorshift(x);
            m[i][j] = (double)(int64_t)(x >> 11) * 0x1p-53;
        }
    }
    return x;
}

int64_t bench_main(int64_t n) {
    fill(b, fill(a, SEED));
    memset(c, 0, sizeof c);
    for (int64_t row = 0; row < n; row++) {
        int32_t i = (int32_t)row & (D - 1);
        for (int32_t j = 0; j < D; j++) {
            double sum = 0.0;
            for (int32_t k = 0; k < D; k++) sum += a[i][k] * b[k][j];
            c[i][j] = c[i][j] * 0.5 + sum;
        }
    }
    double trace = 0.0;
    for (int32_t i = 0; i < D; i++) trace += c[i][i];
    int64_t bits;
    memcpy(&bits, &trace, sizeof bits);
    return bits;
}
