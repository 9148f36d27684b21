/* n rounds of compressing 32 KiB of made-up text by back references (LZ77, hash chains), unpacking
   it, and comparing. */
#include "corpus.h"
#include <string.h>

#define TEXT 32768
#define WINDOW 8192
#define HASHES 4096
#define MIN_MATCH 4
#define MAX_MATCH 255
#define MAX_TRIES 32

static unsigned char text[TEXT], packed[TEXT + TEXT / 8 + 16], unpacked[TEXT];
static int32_t newest[HASHES], older[TEXT];

static void make_text(struct random *r) {
    static const char *words[] = {"the ", "engine ", "runs ", "a ", "loop ", "and ", "compiles ",
                                  "hot ", "code ", "while ", "cold ", "waits; ", "then ", "returns.\n"};
    size_t at = 0;
    uint32_t last = 0;
    while (at < TEXT) {
        last = (last + 1 + random_below(r, 5) * random_below(r, 3)) % 14;
        for (const char *w = words[last]; *w != '\0' && at < TEXT; w++) {
            text[at++] = random_below(r, 64) == 0 ? (unsigned char)('0' + random_below(r, 10))
                                                  : (unsigned char)*w;
        }
    }
}

static uint32_t hash_at(const unsigned char *p) {
    uint32_t four;
    memcpy(&four, p, 4);
    return (four * 2654435761u) >> 20;
}

static int match_length(const unsigned char *a, const unsigned char *b, const unsigned char *end) {
    int length = 0;
    while (b + length < end && length < MAX_MATCH && a[length] == b[length]) length++;
    return length;
}

static void remember(int32_t at) {
    if (at + MIN_MATCH > TEXT) return;
    uint32_t hash = hash_at(text + at);
    older[at] = newest[hash];
    newest[hash] = at;
}

/* Groups of eight items behind a byte that says which are references: length, then distance. */
static size_t pack(void) {
    for (int i = 0; i < HASHES; i++) newest[i] = -1;
    size_t out = 0, flags = 0;
    int item = 8;
    for (int32_t at = 0; at < TEXT;) {
        if (item == 8) {
            flags = out++;
            packed[flags] = 0;
            item = 0;
        }
        int best = 0;
        int32_t from = 0;
        if (at + MIN_MATCH <= TEXT) {
            int32_t candidate = newest[hash_at(text + at)];
            for (int tries = 0; candidate >= 0 && at - candidate < WINDOW && tries < MAX_TRIES; tries++) {
                int length = match_length(text + candidate, text + at, text + TEXT);
                if (length > best) {
                    best = length;
                    from = candidate;
                }
                candidate = older[candidate];
            }
        }
        if (best >= MIN_MATCH) {
            packed[flags] |= (unsigned char)(1 << item);
            packed[out++] = (unsigned char)best;
            packed[out++] = (unsigned char)((at - from) >> 8);
            packed[out++] = (unsigned char)(at - from);
            for (int i = 0; i < best; i++) remember(at++);
        } else {
            packed[out++] = text[at];
            remember(at++);
        }
        item++;
    }
    return out;
}

static size_t unpack(size_t length) {
    size_t out = 0;
    for (size_t in = 0; in < length;) {
        unsigned flags = packed[in++];
        for (int item = 0; item < 8 && in < length; item++, flags >>= 1) {
            if (flags & 1) {
                size_t count = packed[in];
                size_t distance = (size_t)packed[in + 1] << 8 | packed[in + 2];
                in += 3;
                for (; count > 0; count--, out++) unpacked[out] = unpacked[out - distance];
            } else {
                unpacked[out++] = packed[in++];
            }
        }
    }
    return out;
}

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    struct random r = random_from(7);
    uint64_t sum = 0, total = 0;
    for (uint32_t round = 0; round < n; round++) {
        make_text(&r);
        size_t length = pack();
        if (unpack(length) != TEXT || memcmp(text, unpacked, TEXT) != 0) puts("unpacked wrongly");
        for (size_t i = 0; i < length; i += 16) sum = mix(sum, packed[i]);
        total += length;
    }
    printf("%llu %016llx\n", (unsigned long long)total, (unsigned long long)sum);
    return 0;
}
