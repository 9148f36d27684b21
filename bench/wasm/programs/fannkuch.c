/* n thousand permutations of 12 numbers: how many reversals of a prefix, as long as its first number
   says, bring 1 to the front. */
#include "corpus.h"

#define COUNT 12

static int permutation[COUNT], turns[COUNT];

/* The next permutation: rotates the shortest prefix that has rotations left. */
static void advance(void) {
    for (int length = 2; length <= COUNT; length++) {
        int first = permutation[0];
        for (int i = 1; i < length; i++) permutation[i - 1] = permutation[i];
        permutation[length - 1] = first;
        if (++turns[length - 1] < length) return;
        turns[length - 1] = 0;
    }
}

static int reversals(void) {
    int work[COUNT];
    for (int i = 0; i < COUNT; i++) work[i] = permutation[i];
    int count = 0;
    for (int first = work[0]; first != 0; first = work[0]) {
        for (int low = 0, high = first; low < high; low++, high--) {
            int kept = work[low];
            work[low] = work[high];
            work[high] = kept;
        }
        count++;
    }
    return count;
}

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    for (int i = 0; i < COUNT; i++) permutation[i] = i;
    uint64_t sum = 0;
    int most = 0;
    for (uint64_t i = 0; i < (uint64_t)n * 1000; i++) {
        int count = reversals();
        if (count > most) most = count;
        sum = i % 2 == 0 ? sum + (uint64_t)count : sum - (uint64_t)count;
        advance();
    }
    printf("%d %lld\n", most, (long long)sum);
    return 0;
}
