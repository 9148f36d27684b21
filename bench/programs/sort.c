/* n times: quicksort of 1024 random integers, with insertion sort for short parts. */
#include "bench.h"

#define LEN 1024
static int32_t a[LEN];

static void insertion_sort(int32_t lo, int32_t hi) {
    for (int32_t i = lo + 1; i <= hi; i++) {
        int32_t v = a[i], j = i;
        while (j > lo && a[j - 1] > v) {
            a[j] = a[j - 1];
            j--;
        }
        a[j] = v;
    }
}

static void quicksort(int32_t lo, int32_t hi) {
    while (hi - lo >= 16) {
        int32_t pivot = a[(lo + hi) >> 1], i = lo, j = hi;
        while (i <= j) {
            while (a[i] < pivot) i++;
            while (a[j] > pivot) j--;
            if (i <= j) {
                int32_t t = a[i];
                a[i] = a[j];
                a[j] = t;
                i++;
                j--;
            }
        }
        if (j - lo < hi - i) {
            quicksort(lo, j);
            lo = i;
        } else {
            quicksort(i, hi);
            hi = j;
        }
    }
    insertion_sort(lo, hi);
}

int64_t bench_main(int64_t n) {
    uint64_t x = SEED;
    uint64_t sum = 0;
    for (int64_t round = 0; round < n; round++) {
        for (int32_t i = 0; i < LEN; i++) {
            x = xorshift(x);
            a[i] = (int32_t)x;
        }
        quicksort(0, LEN - 1);
        sum = sum * 31 + (uint64_t)(int64_t)a[(round * 37) & (LEN - 1)];
    }
    return (int64_t)sum;
}
