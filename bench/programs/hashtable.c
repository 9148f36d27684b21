/* n insertions and n lookups in a hash table with open addressing and linear probing; it is
   emptied whenever it is half full. */
#include "bench.h"

#define SLOTS 8192

static struct slot {
    int64_t key, value;
} table[SLOTS];

static void clear(void) {
    for (int32_t i = 0; i < SLOTS; i++) table[i].key = 0;
}

static struct slot *find(int64_t key) {
    uint32_t i = (uint32_t)(((uint64_t)key * 0x9E3779B97F4A7C15ULL) >> 51);
    while (table[i].key != 0 && table[i].key != key) i = (i + 1) & (SLOTS - 1);
    return &table[i];
}

int64_t bench_main(int64_t n) {
    uint64_t x = SEED;
    int64_t sum = 0;
    int32_t used = 0;
    clear();
    for (int64_t i = 0; i < n; i++) {
        x = xorshift(x);
        int64_t key = (int64_t)(x & 0x3fff) + 1;
        struct slot *s = find(key);
        if (s->key == 0) {
            if (used == SLOTS / 2) {
                clear();
                used = 0;
                s = find(key);
            }
            s->key = key;
            s->value = 0;
            used++;
        }
        s->value += i;
        int64_t probe = (int64_t)((x >> 20) & 0x3fff) + 1;
        s = find(probe);
        if (s->key == probe) sum += s->value;
    }
    return sum;
}
