/* n thousand operations on a hash table with string keys and chains: insert or count, look up,
   remove; nodes from malloc, the table grows with what is in it. */
#include "corpus.h"
#include <string.h>

struct node {
    struct node *next;
    uint32_t hash;
    uint32_t count;
    char key[];
};

struct table {
    struct node **chains;
    uint32_t mask;
    uint32_t used;
};

static uint32_t hash_of(const char *key) {
    uint32_t hash = 2166136261u;
    for (; *key != '\0'; key++) hash = (hash ^ (unsigned char)*key) * 16777619u;
    return hash ^ (hash >> 15);
}

static struct node **clear_chains(uint32_t count) {
    struct node **chains = allocate(count * sizeof *chains);
    for (uint32_t i = 0; i < count; i++) chains[i] = NULL;
    return chains;
}

/* Where the pointer to the key's node is, or would be. */
static struct node **find(struct table *t, const char *key, uint32_t hash) {
    struct node **at = &t->chains[hash & t->mask];
    while (*at != NULL && ((*at)->hash != hash || strcmp((*at)->key, key) != 0)) at = &(*at)->next;
    return at;
}

static void grow(struct table *t) {
    uint32_t mask = 2 * t->mask + 1;
    struct node **chains = clear_chains(mask + 1);
    for (uint32_t i = 0; i <= t->mask; i++) {
        for (struct node *node = t->chains[i], *next; node != NULL; node = next) {
            next = node->next;
            node->next = chains[node->hash & mask];
            chains[node->hash & mask] = node;
        }
    }
    free(t->chains);
    t->chains = chains;
    t->mask = mask;
}

static void count_key(struct table *t, const char *key) {
    uint32_t hash = hash_of(key);
    struct node **at = find(t, key, hash);
    if (*at != NULL) {
        (*at)->count++;
        return;
    }
    struct node *node = allocate(sizeof *node + strlen(key) + 1);
    node->next = NULL;
    node->hash = hash;
    node->count = 1;
    strcpy(node->key, key);
    *at = node;
    if (++t->used > t->mask) grow(t);
}

static uint32_t remove_key(struct table *t, const char *key) {
    struct node **at = find(t, key, hash_of(key));
    struct node *node = *at;
    if (node == NULL) return 0;
    uint32_t count = node->count;
    *at = node->next;
    free(node);
    t->used--;
    return count;
}

/* A word; short ones are frequent. */
static void make_key(struct random *r, char *key) {
    static const char *syllables[] = {"ka", "lo", "mi", "ren", "tu", "sha", "bo", "ix"};
    uint32_t count = 1 + random_below(r, 5);
    char *end = key;
    for (uint32_t i = 0; i < count; i++) {
        for (const char *s = syllables[random_below(r, 8)]; *s != '\0'; s++) *end++ = *s;
    }
    *end = '\0';
}

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    struct table t = {clear_chains(16), 15, 0};
    struct random r = random_from(4);
    uint64_t sum = 0;
    char key[32];
    for (uint64_t i = 0; i < (uint64_t)n * 1000; i++) {
        make_key(&r, key);
        uint32_t what = random_below(&r, 8);
        if (what < 4) {
            count_key(&t, key);
        } else if (what < 7) {
            struct node *node = *find(&t, key, hash_of(key));
            sum = mix(sum, node == NULL ? 0 : node->count);
        } else {
            sum = mix(sum, remove_key(&t, key));
        }
    }
    printf("%u %016llx\n", (unsigned)t.used, (unsigned long long)sum);
    return 0;
}
