/* n sudokus, made from a full grid by taking numbers away; solutions are counted by recursion, at the
   cell with the fewest candidates first. */
#include "corpus.h"

static int grid[81];
static int rows[9], columns[9], boxes[9];

static int box_of(int cell) {
    return cell / 27 * 3 + cell % 9 / 3;
}

static void set(int cell, int bit) {
    grid[cell] ^= bit;
    rows[cell / 9] ^= bit;
    columns[cell % 9] ^= bit;
    boxes[box_of(cell)] ^= bit;
}

static int candidates(int cell) {
    return 0x1FF & ~(rows[cell / 9] | columns[cell % 9] | boxes[box_of(cell)]);
}

/* Solutions, at most `limit`; counts visited cells. */
static int solve(int limit, uint32_t *visited) {
    int best = -1, fewest = 10;
    for (int cell = 0; cell < 81 && fewest > 1; cell++) {
        if (grid[cell] != 0) continue;
        int count = __builtin_popcount((unsigned)candidates(cell));
        if (count < fewest) {
            fewest = count;
            best = cell;
        }
    }
    if (best < 0) return 1;
    ++*visited;
    int found = 0;
    for (int left = candidates(best); left != 0 && found < limit; left &= left - 1) {
        int bit = left & -left;
        set(best, bit);
        found += solve(limit - found, visited);
        set(best, bit);
    }
    return found;
}

static void shuffle(struct random *r, int *v, int count) {
    for (int i = count - 1; i > 0; i--) {
        int j = (int)random_below(r, (uint32_t)i + 1);
        int kept = v[i];
        v[i] = v[j];
        v[j] = kept;
    }
}

/* A full grid: the numbers, rows and columns of a regular one exchanged within their bands. */
static void fill(struct random *r) {
    int numbers[9], lines[2][9];
    for (int i = 0; i < 9; i++) numbers[i] = i;
    shuffle(r, numbers, 9);
    for (int d = 0; d < 2; d++) {
        int bands[3] = {0, 1, 2};
        shuffle(r, bands, 3);
        for (int b = 0; b < 3; b++) {
            int order[3] = {0, 1, 2};
            shuffle(r, order, 3);
            for (int i = 0; i < 3; i++) lines[d][3 * b + i] = 3 * bands[b] + order[i];
        }
    }
    for (int i = 0; i < 9; i++) rows[i] = columns[i] = boxes[i] = 0;
    for (int cell = 0; cell < 81; cell++) {
        int row = lines[0][cell / 9], column = lines[1][cell % 9];
        grid[cell] = 0;
        set(cell, 1 << numbers[(row * 3 + row / 3 + column) % 9]);
    }
}

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    struct random r = random_from(14);
    uint64_t sum = 0;
    for (uint32_t puzzle = 0; puzzle < n; puzzle++) {
        int order[81];
        for (int i = 0; i < 81; i++) order[i] = i;
        fill(&r);
        shuffle(&r, order, 81);
        for (int i = 0; i < 55; i++) set(order[i], grid[order[i]]);
        uint32_t visited = 0;
        int solutions = solve(50, &visited);
        sum = mix(sum, (uint64_t)visited << 8 | (uint64_t)solutions);
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
