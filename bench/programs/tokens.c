/* n passes of a tokenizer over 4096 bytes of random text: characters are classified by a table,
   words hashed, numbers added up; each pass changes one byte of the text. */
#include "bench.h"

#define LEN 4096
static uint8_t text[LEN];
static uint8_t class_of[256];
static const char alphabet[64] =
    "etaoin shrdlu cmfwyp vbgkqj xzETAO IN0123 456789 .,;ea tn oi\nrs ";

enum { SPACE, LETTER, DIGIT, PUNCTUATION };

static uint64_t init(void) {
    for (int32_t c = 0; c < 256; c++) {
        uint8_t class = PUNCTUATION;
        if (c <= ' ')
            class = SPACE;
        else if (c >= '0' && c <= '9')
            class = DIGIT;
        else if ((c | 32) >= 'a' && (c | 32) <= 'z')
            class = LETTER;
        class_of[c] = class;
    }
    uint64_t x = SEED;
    for (int32_t i = 0; i < LEN; i++) {
        x = xorshift(x);
        text[i] = alphabet[x >> 58];
    }
    return x;
}

int64_t bench_main(int64_t n) {
    uint64_t x = init();
    int64_t sum = 0;
    for (int64_t round = 0; round < n; round++) {
        uint32_t hash = 2166136261u, number = 0;
        int32_t punctuation = 0;
        for (int32_t i = 0; i < LEN; i++) {
            uint8_t c = text[i];
            switch (class_of[c]) {
            case LETTER:
                hash = (hash ^ (c | 32u)) * 16777619u;
                break;
            case DIGIT:
                number = number * 10 + (c - '0');
                break;
            case PUNCTUATION:
                punctuation++;
                /* fall through */
            default:
                sum += (int64_t)hash + number;
                hash = 2166136261u;
                number = 0;
                break;
            }
        }
        sum ^= punctuation;
        x = xorshift(x);
        text[x & (LEN - 1)] = alphabet[x >> 58];
    }
    return sum;
}
