/* n pixels of the Mandelbrot set, 256 x 256, at most 200 iterations each. Pixels come in an order
   that mixes the whole image, so that any n sees the same mixture of cheap and dear ones. */
#include "bench.h"

static int32_t pixel(double cr, double ci) {
    double zr = 0, zi = 0;
    int32_t k = 0;
    while (k < 200) {
        double zr2 = zr * zr, zi2 = zi * zi;
        if (zr2 + zi2 > 4.0) break;
        zi = 2.0 * zr * zi + ci;
        zr = zr2 - zi2 + cr;
        k++;
    }
    return k;
}

int64_t bench_main(int64_t n) {
    int64_t total = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t p = (int32_t)((i * 40503) & 65535);
        double cr = (double)(p & 255) * (3.0 / 256) - 2.0;
        double ci = (double)(p >> 8) * (3.0 / 256) - 1.5;
        total += pixel(cr, ci);
    }
    return total;
}
