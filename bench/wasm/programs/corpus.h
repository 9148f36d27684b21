/* What every program of the corpus shares: its argument, random numbers, a checksum. */
#ifndef CORPUS_H
#define CORPUS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The one argument, which the work grows with. */
static inline uint32_t size_argument(int argc, char **argv) {
    char *end = NULL;
    unsigned long n = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
    if (end == NULL || *end != '\0' || n == 0 || n > UINT32_MAX) {
        fprintf(stderr, "usage: %s N, with N from 1 on\n", argc > 0 ? argv[0] : "program");
        exit(2);
    }
    return (uint32_t)n;
}

/* Marsaglia's xorshift64*. */
struct random {
    uint64_t state;
};

static inline struct random random_from(uint64_t seed) {
    struct random r = {seed * 0x9E3779B97F4A7C15u + 0x2545F4914F6CDD1Du};
    return r;
}

static inline uint32_t random_u32(struct random *r) {
    uint64_t x = r->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    r->state = x;
    return (uint32_t)((x * 0x2545F4914F6CDD1Du) >> 32);
}

/* A number below `bound`. */
static inline uint32_t random_below(struct random *r, uint32_t bound) {
    return (uint32_t)(((uint64_t)random_u32(r) * bound) >> 32);
}

/* A number from 0 to below 1. */
static inline double random_unit(struct random *r) {
    return random_u32(r) * (1.0 / 4294967296.0);
}

/* A checksum that depends on the order of what goes in. */
static inline uint64_t mix(uint64_t sum, uint64_t value) {
    sum ^= value;
    sum *= 0x100000001B3u;
    return sum ^ (sum >> 29);
}

static inline void *allocate(size_t size) {
    void *memory = malloc(size);
    if (memory == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return memory;
}

#endif
