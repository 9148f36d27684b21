/* n products of 128 x 128 matrices of doubles, each with the product before it, in one long loop. */
#include "corpus.h"

#define SIZE 128

static double a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    struct random r = random_from(1);
    /* Rows of `b` add up to 1, so that products neither grow nor vanish. */
    for (int i = 0; i < SIZE; i++) {
        double sum = 0;
        for (int j = 0; j < SIZE; j++) {
            a[i][j] = random_unit(&r);
            b[i][j] = random_unit(&r);
            sum += b[i][j];
        }
        for (int j = 0; j < SIZE; j++) b[i][j] /= sum;
    }
    for (uint32_t round = 0; round < n; round++) {
        for (int i = 0; i < SIZE; i++) {
            for (int j = 0; j < SIZE; j++) c[i][j] = 0;
            for (int k = 0; k < SIZE; k++) {
                double factor = a[i][k];
                for (int j = 0; j < SIZE; j++) c[i][j] += factor * b[k][j];
            }
        }
        /* Mixes rows, so that the next product is another one. */
        for (int i = 0; i < SIZE; i++) {
            for (int j = 0; j < SIZE; j++) {
                a[i][j] = 0.5 * (c[i][j] + a[(i + 1) % SIZE][j]);
            }
        }
    }
    double trace = 0;
    for (int i = 0; i < SIZE; i++) trace += a[i][i];
    printf("%.12f %.12f\n", trace, a[SIZE / 2][SIZE / 3]);
    return 0;
}
