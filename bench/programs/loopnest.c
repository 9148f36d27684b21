/* The loop nest n x sum(0..1000). The barrier on the accumulator keeps the compilers from
   vectorizing the inner loop and from replacing it by a closed form; it costs no instruction. */
#include "bench.h"

int64_t bench_main(int64_t n) {
    int64_t acc = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < 1000; j++) {
            acc += j;
            __asm__ volatile("" : "+r"(acc));
        }
    }
    return acc;
}
