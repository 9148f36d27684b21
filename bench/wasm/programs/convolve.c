/* n passes over an image of 256 x 256 bytes: blurred along both axes, edges by Sobel's operator, and
   noise added. Compiled with WebAssembly's vector instructions. */
#include "corpus.h"
#include <string.h>

#define SIDE 256

static uint8_t image[SIDE][SIDE], blurred[SIDE][SIDE], edges[SIDE][SIDE];
static int16_t along[SIDE][SIDE];

static void blur(void) {
    for (int y = 0; y < SIDE; y++) {
        for (int x = 2; x < SIDE - 2; x++) {
            const uint8_t *p = &image[y][x];
            along[y][x] = (int16_t)(p[-2] + 4 * p[-1] + 6 * p[0] + 4 * p[1] + p[2]);
        }
    }
    for (int y = 2; y < SIDE - 2; y++) {
        for (int x = 2; x < SIDE - 2; x++) {
            int sum = along[y - 2][x] + 4 * along[y - 1][x] + 6 * along[y][x] + 4 * along[y + 1][x] +
                      along[y + 2][x];
            blurred[y][x] = (uint8_t)((sum + 128) >> 8);
        }
    }
}

static int magnitude(int value) {
    return value < 0 ? -value : value;
}

static void find_edges(void) {
    for (int y = 1; y < SIDE - 1; y++) {
        const uint8_t *above = blurred[y - 1], *here = blurred[y], *below = blurred[y + 1];
        for (int x = 1; x < SIDE - 1; x++) {
            int across = above[x + 1] + 2 * here[x + 1] + below[x + 1] - above[x - 1] -
                         2 * here[x - 1] - below[x - 1];
            int down = below[x - 1] + 2 * below[x] + below[x + 1] - above[x - 1] - 2 * above[x] -
                       above[x + 1];
            int edge = (magnitude(across) + magnitude(down)) / 2;
            edges[y][x] = (uint8_t)(edge > 255 ? 255 : edge);
        }
    }
}

static uint64_t brightness(void) {
    uint32_t sum = 0;
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) sum += edges[y][x];
    }
    return sum;
}

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    struct random r = random_from(16);
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) image[y][x] = (uint8_t)((x ^ y) + random_below(&r, 64));
    }
    uint64_t sum = 0;
    for (uint32_t pass = 0; pass < n; pass++) {
        blur();
        find_edges();
        sum = mix(sum, brightness());
        memcpy(image[2], blurred[2], (SIDE - 4) * SIDE);
        for (int i = 0; i < 200; i++) {
            image[random_below(&r, SIDE)][random_below(&r, SIDE)] = (uint8_t)random_u32(&r);
        }
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
