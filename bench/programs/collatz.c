/* Steps of the Collatz sequences that start at 1 to n. */
#include "bench.h"

int64_t bench_main(int64_t n) {
    int64_t steps = 0;
    for (int64_t start = 1; start <= n; start++) {
        uint64_t x = (uint64_t)start;
        while (x != 1) {
            if (x & 1)
                x = 3 * x + 1;
            else
                x >>= 1;
            steps++;
        }
    }
    return steps;
}
