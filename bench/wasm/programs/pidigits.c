/* n computations of some 300 decimal digits of pi with long integers: Machin's formula, division by
   small numbers, and a product and square of the results. */
#include "corpus.h"
#include <string.h>

#define LIMBS 40

/* A number below 16, most significant limb first: one limb before the point, the others behind it. */
struct fixed {
    uint32_t limb[LIMBS];
};

/* Gives whether the quotient is zero. */
static int divide(struct fixed *a, uint32_t by, int limbs) {
    uint64_t rest = 0;
    uint32_t any = 0;
    for (int i = 0; i < limbs; i++) {
        uint64_t value = rest << 32 | a->limb[i];
        a->limb[i] = (uint32_t)(value / by);
        any |= a->limb[i];
        rest = value % by;
    }
    return any == 0;
}

static void add(struct fixed *a, const struct fixed *b, int limbs) {
    uint64_t carry = 0;
    for (int i = limbs - 1; i >= 0; i--) {
        carry += (uint64_t)a->limb[i] + b->limb[i];
        a->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static void subtract(struct fixed *a, const struct fixed *b, int limbs) {
    uint64_t borrow = 0;
    for (int i = limbs - 1; i >= 0; i--) {
        uint64_t difference = (uint64_t)a->limb[i] - b->limb[i] - borrow;
        a->limb[i] = (uint32_t)difference;
        borrow = difference >> 63;
    }
}

static uint32_t scale(struct fixed *a, uint32_t by, int limbs) {
    uint64_t carry = 0;
    for (int i = limbs - 1; i >= 0; i--) {
        carry += (uint64_t)a->limb[i] * by;
        a->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return (uint32_t)carry;
}

/* The limbs of a * b from the first behind the points' product on, rounded down. */
static void multiply(struct fixed *out, const struct fixed *a, const struct fixed *b, int limbs) {
    uint32_t product[2 * LIMBS] = {0};
    for (int i = limbs - 1; i >= 0; i--) {
        uint64_t carry = 0;
        for (int j = limbs - 1; j >= 0; j--) {
            carry += (uint64_t)a->limb[i] * b->limb[j] + product[i + j + 1];
            product[i + j + 1] = (uint32_t)carry;
            carry >>= 32;
        }
        product[i] = (uint32_t)carry;
    }
    memcpy(out->limb, product + 1, (size_t)limbs * sizeof product[0]);
}

/* factor * arctan(1 / x). */
static void arctangent(struct fixed *sum, uint32_t factor, uint32_t x, int limbs) {
    struct fixed power = {{0}}, term;
    power.limb[0] = factor;
    divide(&power, x, limbs);
    *sum = power;
    for (uint32_t k = 1;; k++) {
        if (divide(&power, x * x, limbs)) break;
        term = power;
        divide(&term, 2 * k + 1, limbs);
        if (k % 2 == 1) subtract(sum, &term, limbs);
        else add(sum, &term, limbs);
    }
}

static void print(struct fixed a, int limbs) {
    printf("%u.", (unsigned)a.limb[0]);
    for (int i = 0; i < 5; i++) {
        a.limb[0] = 0;
        scale(&a, 1000000000, limbs);
        printf("%09u", (unsigned)a.limb[0]);
    }
    printf("\n");
}

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    struct random r = random_from(19);
    struct fixed pi = {{0}}, other, square;
    uint64_t sum = 0;
    for (uint32_t round = 0; round < n; round++) {
        int limbs = LIMBS - 8 + (int)random_below(&r, 9);
        arctangent(&pi, 16, 5, limbs);
        arctangent(&other, 4, 239, limbs);
        subtract(&pi, &other, limbs);
        multiply(&square, &pi, &pi, limbs);
        multiply(&other, &other, &square, limbs);
        for (int i = 0; i < limbs; i++) sum = mix(sum, square.limb[i] ^ other.limb[i]);
    }
    print(pi, LIMBS - 8);
    print(square, LIMBS - 8);
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
