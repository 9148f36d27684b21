/* n rounds of sorting: quicksort of 4,096 integers, heapsort of 1,024 records by a key. */
#include "corpus.h"

#define NUMBERS 4096
#define RECORDS 1024
#define SHORT 12

struct record {
    double key;
    uint32_t number;
};

static int32_t numbers[NUMBERS];
static struct record records[RECORDS];

static void insertion_sort(int32_t *v, int count) {
    for (int i = 1; i < count; i++) {
        int32_t value = v[i];
        int at = i;
        for (; at > 0 && v[at - 1] > value; at--) v[at] = v[at - 1];
        v[at] = value;
    }
}

static int32_t median(int32_t a, int32_t b, int32_t c) {
    if (a > b) {
        int32_t kept = a;
        a = b;
        b = kept;
    }
    if (c < a) return a;
    return c < b ? c : b;
}

static void quicksort(int32_t *v, int count) {
    while (count > SHORT) {
        int32_t pivot = median(v[0], v[count / 2], v[count - 1]);
        int low = 0, high = count - 1;
        for (;;) {
            while (v[low] < pivot) low++;
            while (v[high] > pivot) high--;
            if (low >= high) break;
            int32_t kept = v[low];
            v[low++] = v[high];
            v[high--] = kept;
        }
        /* The shorter part by a call, the longer by this loop. */
        int below = high + 1;
        if (below < count - below) {
            quicksort(v, below);
            v += below;
            count -= below;
        } else {
            quicksort(v + below, count - below);
            count = below;
        }
    }
    insertion_sort(v, count);
}

static int before(const struct record *a, const struct record *b) {
    return a->key < b->key || (a->key == b->key && a->number < b->number);
}

static void sift_down(struct record *v, int at, int count) {
    struct record moved = v[at];
    for (int child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && before(&v[child], &v[child + 1])) child++;
        if (!before(&moved, &v[child])) break;
        v[at] = v[child];
        at = child;
    }
    v[at] = moved;
}

static void heapsort_records(struct record *v, int count) {
    for (int at = count / 2 - 1; at >= 0; at--) sift_down(v, at, count);
    for (int end = count - 1; end > 0; end--) {
        struct record first = v[0];
        v[0] = v[end];
        v[end] = first;
        sift_down(v, 0, end);
    }
}

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    struct random r = random_from(3);
    uint64_t sum = 0;
    for (uint32_t round = 0; round < n; round++) {
        for (int i = 0; i < NUMBERS; i++) numbers[i] = (int32_t)random_u32(&r);
        for (int i = 0; i < RECORDS; i++) {
            records[i].key = random_below(&r, 500) * 0.25;
            records[i].number = (uint32_t)i;
        }
        quicksort(numbers, NUMBERS);
        heapsort_records(records, RECORDS);
        for (int i = 1; i < NUMBERS; i++) {
            if (numbers[i - 1] > numbers[i]) puts("numbers out of order");
        }
        for (int i = 0; i < NUMBERS; i += 7) sum = mix(sum, (uint32_t)numbers[i]);
        for (int i = 0; i < RECORDS; i += 3) sum = mix(sum, records[i].number);
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
