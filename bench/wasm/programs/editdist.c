/* n pairs of sequences of some 400 letters: distance by insertions, deletions and replacements, and
   the longest common subsequence, both by dynamic programming. */
#include "corpus.h"

#define LONGEST 512

static char first[LONGEST + 1], second[LONGEST + 1];
static uint16_t row[LONGEST + 1];
static uint16_t common[LONGEST + 1][LONGEST + 1];

static int least(int a, int b) {
    return a < b ? a : b;
}

static int edit_distance(int m, int n) {
    for (int j = 0; j <= n; j++) row[j] = (uint16_t)j;
    for (int i = 1; i <= m; i++) {
        int diagonal = row[0];
        row[0] = (uint16_t)i;
        for (int j = 1; j <= n; j++) {
            int replaced = diagonal + (first[i - 1] != second[j - 1]);
            diagonal = row[j];
            row[j] = (uint16_t)least(replaced, 1 + least(row[j], row[j - 1]));
        }
    }
    return row[n];
}

/* Its length; the subsequence itself is mixed into a checksum. */
static int common_subsequence(int m, int n, uint64_t *sum) {
    for (int i = 1; i <= m; i++) {
        for (int j = 1; j <= n; j++) {
            int above = common[i - 1][j], before = common[i][j - 1];
            common[i][j] = (uint16_t)(first[i - 1] == second[j - 1] ? common[i - 1][j - 1] + 1
                                      : above > before              ? above
                                                                    : before);
        }
    }
    for (int i = m, j = n; i > 0 && j > 0;) {
        if (first[i - 1] == second[j - 1]) {
            *sum = mix(*sum, (unsigned char)first[i - 1]);
            i--, j--;
        } else if (common[i - 1][j] >= common[i][j - 1]) {
            i--;
        } else {
            j--;
        }
    }
    return common[m][n];
}

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    struct random r = random_from(15);
    uint64_t sum = 0;
    for (uint32_t pair = 0; pair < n; pair++) {
        int m = 300 + (int)random_below(&r, 200), length = 0;
        for (int i = 0; i < m; i++) {
            first[i] = "acgt"[random_below(&r, 4)];
            /* The second is the first with faults. */
            uint32_t fault = random_below(&r, 12);
            if (fault != 0 && length < LONGEST) second[length++] = first[i];
            if (fault <= 1 && length < LONGEST) second[length++] = "acgt"[random_below(&r, 4)];
        }
        sum = mix(sum, (uint64_t)edit_distance(m, length));
        sum = mix(sum, (uint64_t)common_subsequence(m, length, &sum));
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
