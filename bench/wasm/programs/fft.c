/* n convolutions of 2,048 complex numbers by fast Fourier transforms, there and back, in place. */
#include "corpus.h"

#define SIZE 2048

struct complex {
    double re, im;
};

static struct complex roots[SIZE / 2], filter[SIZE], signal[SIZE];

static struct complex times(struct complex a, struct complex b) {
    return (struct complex){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

/* Powers of the first root of unity, whose cosine and sine come from halving angles. */
static void make_roots(void) {
    struct complex steps[16];
    struct complex step = {-1, 0};
    int count = 0;
    for (int size = 2; size <= SIZE; size *= 2) {
        steps[count++] = step;
        double cosine = __builtin_sqrt((1 + step.re) / 2);
        step.im = size == 2 ? 1 : step.im / (2 * cosine);
        step.re = size == 2 ? 0 : cosine;
    }
    /* A power is a product of few factors, one for each bit, so that errors stay small. */
    for (int i = 0; i < SIZE / 2; i++) {
        struct complex root = {1, 0};
        for (int bit = 0; i >> bit != 0; bit++) {
            if (i >> bit & 1) root = times(root, steps[count - 1 - bit]);
        }
        roots[i] = root;
    }
}

static void reorder(struct complex *v) {
    for (int i = 1, j = 0; i < SIZE; i++) {
        int bit = SIZE / 2;
        for (; j & bit; bit /= 2) j ^= bit;
        j |= bit;
        if (i < j) {
            struct complex kept = v[i];
            v[i] = v[j];
            v[j] = kept;
        }
    }
}

static void transform(struct complex *v, int back) {
    reorder(v);
    for (int half = 1; half < SIZE; half *= 2) {
        int stride = SIZE / (2 * half);
        for (int start = 0; start < SIZE; start += 2 * half) {
            for (int i = 0; i < half; i++) {
                struct complex root = roots[i * stride];
                if (back) root.im = -root.im;
                struct complex *a = &v[start + i], *b = &v[start + i + half];
                struct complex product = times(root, *b);
                b->re = a->re - product.re;
                b->im = a->im - product.im;
                a->re += product.re;
                a->im += product.im;
            }
        }
    }
}

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    struct random r = random_from(12);
    make_roots();
    for (int i = 0; i < SIZE; i++) {
        signal[i] = (struct complex){2 * random_unit(&r) - 1, 0};
        filter[i] = (struct complex){0, 0};
    }
    filter[0].re = 0.5;
    filter[1].re = 0.3;
    filter[SIZE - 5].re = 0.2;
    transform(filter, 0);
    for (uint32_t round = 0; round < n; round++) {
        transform(signal, 0);
        for (int i = 0; i < SIZE; i++) signal[i] = times(signal[i], filter[i]);
        transform(signal, 1);
        for (int i = 0; i < SIZE; i++) {
            signal[i].re = signal[i].re / SIZE;
            signal[i].im = signal[i].im / SIZE;
        }
        signal[random_below(&r, SIZE)].re += random_unit(&r);
    }
    double sum = 0;
    for (int i = 0; i < SIZE; i++) sum += signal[i].re;
    printf("%.9f %.9f\n", sum, signal[SIZE / 3].re);
    return 0;
}
