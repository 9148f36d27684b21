/* SHA-256 (FIPS 180-4) of n KiB, KiB by KiB, each with the digest before it at its start. The tables
   are computed: fractions of roots of the first primes. */
#include "corpus.h"
#include <string.h>

static uint32_t constants[64], initial[8];

static int is_prime(int p) {
    for (int d = 2; d * d <= p; d++) {
        if (p % d == 0) return 0;
    }
    return 1;
}

/* 32 bits behind the point of the power-th root (2 or 3) of p, by bisection in integers. */
static uint32_t root_fraction(uint32_t p, int power) {
    uint64_t low = 0, high = (uint64_t)8 << 32;
    /* Greatest x with (x / 2^32)^power <= p. */
    while (high - low > 1) {
        uint64_t x = low + (high - low) / 2;
        unsigned __int128 value = (unsigned __int128)x * x;
        if (power == 3) value *= x;
        if (value > (unsigned __int128)p << (32 * power)) high = x;
        else low = x;
    }
    return (uint32_t)low;
}

static void make_tables(void) {
    int found = 0;
    for (int p = 2; found < 64; p++) {
        if (!is_prime(p)) continue;
        if (found < 8) initial[found] = root_fraction((uint32_t)p, 2);
        constants[found++] = root_fraction((uint32_t)p, 3);
    }
}

static uint32_t rotate(uint32_t x, int by) {
    return (x >> by) | (x << (32 - by));
}

static void compress(uint32_t h[8], const unsigned char *block) {
    uint32_t w[64];
    for (int i = 0; i < 16; i++) {
        const unsigned char *p = block + 4 * i;
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }
    for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];
        uint32_t s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >> 3);
        uint32_t s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >> 10);
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], k = h[7];
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
        uint32_t t1 = k + s1 + ((e & f) ^ (~e & g)) + constants[i] + w[i];
        uint32_t s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
        uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
        k = g, g = f, f = e, e = d + t1;
        d = c, c = b, b = a, a = t1 + t2;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d;
    h[4] += e, h[5] += f, h[6] += g, h[7] += k;
}

static void store(unsigned char *to, uint32_t value) {
    for (int i = 0; i < 4; i++) to[i] = (unsigned char)(value >> (24 - 8 * i));
}

static void sha256(const unsigned char *data, size_t length, unsigned char digest[32]) {
    uint32_t h[8];
    memcpy(h, initial, sizeof h);
    size_t done = 0;
    for (; length - done >= 64; done += 64) compress(h, data + done);
    unsigned char last[128] = {0};
    size_t rest = length - done;
    memcpy(last, data + done, rest);
    last[rest] = 0x80;
    size_t end = rest < 56 ? 64 : 128;
    store(last + end - 8, (uint32_t)((uint64_t)length >> 29));
    store(last + end - 4, (uint32_t)(length << 3));
    for (size_t i = 0; i < end; i += 64) compress(h, last + i);
    for (int i = 0; i < 8; i++) store(digest + 4 * i, h[i]);
}

static void print(const unsigned char digest[32]) {
    for (int i = 0; i < 32; i++) printf("%02x", digest[i]);
    printf("\n");
}

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    make_tables();
    unsigned char digest[32];
    sha256((const unsigned char *)"abc", 3, digest);
    print(digest);
    unsigned char data[1024];
    struct random r = random_from(6);
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)random_u32(&r);
    for (uint32_t i = 0; i < n; i++) {
        memcpy(data, digest, sizeof digest);
        sha256(data, sizeof data, digest);
    }
    print(digest);
    return 0;
}
