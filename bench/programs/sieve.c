/* n times the sieve of Eratosthenes up to about 65536; the bound changes from round to round. */
#include "bench.h"
#include <string.h>

static uint8_t composite[65536];

int64_t bench_main(int64_t n) {
    int64_t count = 0;
    for (int64_t round = 0; round < n; round++) {
        int32_t limit = 65536 - (int32_t)(round & 1023);
        memset(composite, 0, sizeof composite);
        for (int32_t p = 2; p * p < limit; p++) {
            if (composite[p]) continue;
            for (int32_t m = p * p; m < limit; m += p) composite[m] = 1;
        }
        for (int32_t k = 2; k < limit; k++) count += composite[k] == 0;
    }
    return count;
}
