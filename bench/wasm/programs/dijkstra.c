/* Shortest ways from n starts over a grid of 64 x 64 places with random costs and some tunnels, by
   Dijkstra's algorithm with a binary heap. */
#include "corpus.h"

#define SIDE 64
#define PLACES (SIDE * SIDE)
#define MAX_EDGES 8
#define FAR UINT32_MAX

struct edge {
    uint32_t to, cost;
};

struct place {
    uint32_t edges;
    struct edge edge[MAX_EDGES];
};

struct entry {
    uint32_t distance, place;
};

static struct place places[PLACES];
static uint32_t distances[PLACES];
static struct entry heap[PLACES * MAX_EDGES];
static uint32_t waiting;

static void connect(uint32_t a, uint32_t b, uint32_t cost) {
    if (places[a].edges == MAX_EDGES || places[b].edges == MAX_EDGES) return;
    places[a].edge[places[a].edges++] = (struct edge){b, cost};
    places[b].edge[places[b].edges++] = (struct edge){a, cost};
}

static void build(struct random *r) {
    for (uint32_t y = 0; y < SIDE; y++) {
        for (uint32_t x = 0; x < SIDE; x++) {
            uint32_t here = y * SIDE + x;
            if (x + 1 < SIDE) connect(here, here + 1, 1 + random_below(r, 90));
            if (y + 1 < SIDE) connect(here, here + SIDE, 1 + random_below(r, 90));
        }
    }
    for (int i = 0; i < PLACES / 8; i++) {
        uint32_t from = random_below(r, PLACES), to = random_below(r, PLACES);
        connect(from, to, 200 + random_below(r, 900));
    }
}

static void push(struct entry entry) {
    uint32_t at = waiting++;
    for (; at > 0 && heap[(at - 1) / 2].distance > entry.distance; at = (at - 1) / 2) {
        heap[at] = heap[(at - 1) / 2];
    }
    heap[at] = entry;
}

static struct entry pop(void) {
    struct entry least = heap[0], moved = heap[--waiting];
    uint32_t at = 0;
    for (uint32_t child = 1; child < waiting; child = 2 * at + 1) {
        if (child + 1 < waiting && heap[child + 1].distance < heap[child].distance) child++;
        if (heap[child].distance >= moved.distance) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
    return least;
}

static void search(uint32_t start) {
    for (uint32_t i = 0; i < PLACES; i++) distances[i] = FAR;
    distances[start] = 0;
    push((struct entry){0, start});
    while (waiting > 0) {
        struct entry entry = pop();
        if (entry.distance > distances[entry.place]) continue;
        const struct place *place = &places[entry.place];
        for (uint32_t i = 0; i < place->edges; i++) {
            uint32_t to = place->edge[i].to, distance = entry.distance + place->edge[i].cost;
            if (distance < distances[to]) {
                distances[to] = distance;
                push((struct entry){distance, to});
            }
        }
    }
}

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    struct random r = random_from(11);
    build(&r);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        search(random_below(&r, PLACES));
        uint32_t farthest = 0;
        for (uint32_t p = 0; p < PLACES; p++) {
            if (distances[p] > farthest) farthest = distances[p];
            if (p % 16 == 0) sum = mix(sum, distances[p]);
        }
        sum = mix(sum, farthest);
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
