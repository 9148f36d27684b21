/* n rows of 256 points each: how long they stay bounded under z -> z*z + c, at most 250 steps. */
#include "corpus.h"

#define WIDTH 256
#define LIMIT 250

/* Bits of `row` the other way round, as a fraction: rows spread evenly, however many there are. */
static double spread(uint32_t row) {
    double value = 0, part = 0.5;
    for (; row != 0; row >>= 1, part /= 2) {
        if (row & 1) value += part;
    }
    return value;
}

static int steps(double cx, double cy) {
    double x = 0, y = 0;
    int i = 0;
    for (; i < LIMIT; i++) {
        double xx = x * x, yy = y * y;
        if (xx + yy > 4) break;
        y = 2 * x * y + cy;
        x = xx - yy + cx;
    }
    return i;
}

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    uint64_t sum = 0, inside = 0;
    for (uint32_t row = 0; row < n; row++) {
        double cy = 1.25 * (2 * spread(row) - 1);
        for (int column = 0; column < WIDTH; column++) {
            int i = steps(-2.0 + 2.5 * column / WIDTH, cy);
            inside += i == LIMIT;
            sum = mix(sum, (uint64_t)i);
        }
    }
    printf("%llu %016llx\n", (unsigned long long)inside, (unsigned long long)sum);
    return 0;
}
