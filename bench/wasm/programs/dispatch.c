/* n thousand evaluations of formulas that were turned into trees of functions: each node is called
   through a pointer, and many functions share few signatures. */
#include "corpus.h"

#define VARIABLES 8
#define FORMULAS 24

struct node;
typedef int32_t evaluate(const struct node *node, const int32_t *variables);

struct node {
    evaluate *run;
    int32_t value;
    const struct node *left, *right, *other;
};

static int32_t run(const struct node *node, const int32_t *variables) {
    return node->run(node, variables);
}

#define BINARY(name, expression)                                                                  \
    static int32_t name(const struct node *node, const int32_t *variables) {                      \
        uint32_t a = (uint32_t)run(node->left, variables);                                        \
        uint32_t b = (uint32_t)run(node->right, variables);                                       \
        return (int32_t)(expression);                                                             \
    }

BINARY(add, a + b)
BINARY(subtract, a - b)
BINARY(multiply, a * b)
BINARY(divide, b == 0 ? a : a / b)
BINARY(exclusive_or, a ^ b)
BINARY(shift, a << (b & 31))
BINARY(less, (int32_t)a < (int32_t)b)

static int32_t number(const struct node *node, const int32_t *variables) {
    (void)variables;
    return node->value;
}

static int32_t variable(const struct node *node, const int32_t *variables) {
    return variables[node->value];
}

static int32_t negate(const struct node *node, const int32_t *variables) {
    return (int32_t)-(uint32_t)run(node->left, variables);
}

static int32_t choose(const struct node *node, const int32_t *variables) {
    return run(node->other, variables) != 0 ? run(node->left, variables) : run(node->right, variables);
}

static struct node *make(evaluate *function, int32_t value) {
    struct node *node = allocate(sizeof *node);
    *node = (struct node){function, value, NULL, NULL, NULL};
    return node;
}

static const struct node *formula(struct random *r, int depth) {
    static evaluate *const inner[] = {add, subtract, multiply, divide, exclusive_or, shift, less,
                                      negate, choose, add, subtract, choose};
    if (depth == 0 || random_below(r, 10) == 0) {
        if (random_below(r, 3) == 0) return make(number, (int32_t)random_below(r, 100));
        return make(variable, (int32_t)random_below(r, VARIABLES));
    }
    struct node *node = make(inner[random_below(r, 12)], 0);
    node->left = formula(r, depth - 1);
    if (node->run != negate) node->right = formula(r, depth - 1);
    if (node->run == choose) node->other = formula(r, depth - 1);
    return node;
}

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    struct random r = random_from(10);
    const struct node *formulas[FORMULAS];
    for (int i = 0; i < FORMULAS; i++) formulas[i] = formula(&r, 3 + i % 3);
    int32_t variables[VARIABLES] = {1, -2, 3, 500, 7, -11, 13, 17};
    uint64_t sum = 0;
    for (uint64_t i = 0; i < (uint64_t)n * 1000; i++) {
        int32_t value = run(formulas[i % FORMULAS], variables);
        variables[i % VARIABLES] = value ^ (int32_t)i;
        sum = mix(sum, (uint32_t)value);
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
