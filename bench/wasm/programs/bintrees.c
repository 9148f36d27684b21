/* n binary trees, built from malloc, walked and freed, beside one that stays. */
#include "corpus.h"

struct tree {
    struct tree *left, *right;
    uint32_t value;
};

static struct tree *build(struct random *r, int depth) {
    struct tree *t = allocate(sizeof *t);
    t->value = random_u32(r);
    t->left = depth > 0 ? build(r, depth - 1) : NULL;
    t->right = depth > 0 ? build(r, depth - 1) : NULL;
    return t;
}

static uint32_t sum_of(const struct tree *t) {
    if (t == NULL) return 0;
    return t->value + sum_of(t->left) - (sum_of(t->right) >> 1);
}

static void destroy(struct tree *t) {
    if (t == NULL) return;
    destroy(t->left);
    destroy(t->right);
    free(t);
}

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    struct random r = random_from(5);
    struct tree *lasting = build(&r, 12);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct tree *t = build(&r, 6 + (int)random_below(&r, 6));
        sum = mix(sum, sum_of(t));
        destroy(t);
    }
    sum = mix(sum, sum_of(lasting));
    destroy(lasting);
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
