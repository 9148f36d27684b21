/* n leapfrog steps of 16 bodies that attract each other. */
#include "corpus.h"

#define BODIES 16
#define SOFTENING 0.01
#define STEP 0.001

struct body {
    double position[3];
    double velocity[3];
    double mass;
};

static struct body bodies[BODIES];

static void place(void) {
    struct random r = random_from(2);
    for (int i = 0; i < BODIES; i++) {
        for (int d = 0; d < 3; d++) {
            bodies[i].position[d] = 2 * random_unit(&r) - 1;
            bodies[i].velocity[d] = 0.5 * random_unit(&r) - 0.25;
        }
        bodies[i].mass = 0.5 + random_unit(&r);
    }
}

/* Changes velocities by what bodies do to each other within a time. */
static void accelerate(double time) {
    for (int i = 0; i < BODIES; i++) {
        struct body *p = &bodies[i];
        for (int j = i + 1; j < BODIES; j++) {
            struct body *q = &bodies[j];
            double dx = q->position[0] - p->position[0];
            double dy = q->position[1] - p->position[1];
            double dz = q->position[2] - p->position[2];
            double square = dx * dx + dy * dy + dz * dz + SOFTENING;
            double force = time / (square * __builtin_sqrt(square));
            double at_p = force * q->mass, at_q = force * p->mass;
            p->velocity[0] += dx * at_p;
            p->velocity[1] += dy * at_p;
            p->velocity[2] += dz * at_p;
            q->velocity[0] -= dx * at_q;
            q->velocity[1] -= dy * at_q;
            q->velocity[2] -= dz * at_q;
        }
    }
}

static void move(double time) {
    for (int i = 0; i < BODIES; i++) {
        for (int d = 0; d < 3; d++) bodies[i].position[d] += time * bodies[i].velocity[d];
    }
}

static double energy(void) {
    double sum = 0;
    for (int i = 0; i < BODIES; i++) {
        const struct body *p = &bodies[i];
        double speed = 0;
        for (int d = 0; d < 3; d++) speed += p->velocity[d] * p->velocity[d];
        sum += 0.5 * p->mass * speed;
        for (int j = i + 1; j < BODIES; j++) {
            const struct body *q = &bodies[j];
            double square = SOFTENING;
            for (int d = 0; d < 3; d++) {
                double distance = p->position[d] - q->position[d];
                square += distance * distance;
            }
            sum -= p->mass * q->mass / __builtin_sqrt(square);
        }
    }
    return sum;
}

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    place();
    double before = energy();
    for (uint32_t step = 0; step < n; step++) {
        move(STEP / 2);
        accelerate(STEP);
        move(STEP / 2);
    }
    printf("%.12f %.12f %.12f\n", before, energy(), bodies[0].position[0]);
    return 0;
}
