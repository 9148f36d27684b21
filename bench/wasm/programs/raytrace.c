/* n rows of 128 points of a picture: spheres, a plane and a light, with shadows and reflections; each
   kind of thing has its own functions, called through pointers. */
#include "corpus.h"

#define WIDTH 128
#define SPHERES 9
#define THINGS (SPHERES + 1)
#define MAX_BOUNCES 4
#define NEAR 1e-6
#define NOWHERE 1e30

struct vector {
    double x, y, z;
};

struct thing;
typedef double hit_function(const struct thing *t, struct vector from, struct vector to);
typedef struct vector normal_function(const struct thing *t, struct vector at);

struct thing {
    hit_function *hit;
    normal_function *normal;
    struct vector centre;
    double radius, reflects;
    double colour;
};

static struct thing things[THINGS];
static const struct vector light = {-4, 7, -5};

static struct vector add(struct vector a, struct vector b) {
    return (struct vector){a.x + b.x, a.y + b.y, a.z + b.z};
}

static struct vector scale(struct vector a, double by) {
    return (struct vector){a.x * by, a.y * by, a.z * by};
}

static struct vector subtract(struct vector a, struct vector b) {
    return add(a, scale(b, -1));
}

static double dot(struct vector a, struct vector b) {
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

static struct vector unit(struct vector a) {
    return scale(a, 1 / __builtin_sqrt(dot(a, a)));
}

static double hit_sphere(const struct thing *t, struct vector from, struct vector to) {
    struct vector offset = subtract(from, t->centre);
    double half = dot(offset, to);
    double rest = half * half - dot(offset, offset) + t->radius * t->radius;
    if (rest < 0) return NOWHERE;
    double root = __builtin_sqrt(rest);
    if (-half - root > NEAR) return -half - root;
    return -half + root > NEAR ? -half + root : NOWHERE;
}

static struct vector sphere_normal(const struct thing *t, struct vector at) {
    return scale(subtract(at, t->centre), 1 / t->radius);
}

static double hit_plane(const struct thing *t, struct vector from, struct vector to) {
    if (to.y > -NEAR && to.y < NEAR) return NOWHERE;
    double distance = (t->centre.y - from.y) / to.y;
    return distance > NEAR ? distance : NOWHERE;
}

static struct vector plane_normal(const struct thing *t, struct vector at) {
    (void)t, (void)at;
    return (struct vector){0, 1, 0};
}

static const struct thing *nearest(struct vector from, struct vector to, double *distance) {
    const struct thing *found = NULL;
    *distance = NOWHERE;
    for (int i = 0; i < THINGS; i++) {
        double d = things[i].hit(&things[i], from, to);
        if (d < *distance) {
            *distance = d;
            found = &things[i];
        }
    }
    return found;
}

static int in_shadow(struct vector at, struct vector to_light, double distance) {
    for (int i = 0; i < THINGS; i++) {
        if (things[i].hit(&things[i], at, to_light) < distance) return 1;
    }
    return 0;
}

static double trace(struct vector from, struct vector to, int bounces) {
    double distance;
    const struct thing *t = nearest(from, to, &distance);
    if (t == NULL) return 0.3 + 0.3 * to.y;
    struct vector at = add(from, scale(to, distance));
    struct vector normal = t->normal(t, at);
    struct vector way = subtract(light, at);
    double far = __builtin_sqrt(dot(way, way));
    struct vector to_light = scale(way, 1 / far);
    double colour = t->colour;
    /* The plane is a chessboard. */
    if (t->normal == plane_normal && (((int)(at.x + 1000) ^ (int)(at.z + 1000)) & 1)) colour *= 0.4;
    double shade = 0.1, cosine = dot(normal, to_light);
    if (cosine > 0 && !in_shadow(at, to_light, far)) shade += 0.9 * cosine;
    double brightness = colour * shade;
    if (t->reflects > 0 && bounces < MAX_BOUNCES) {
        struct vector mirrored = subtract(to, scale(normal, 2 * dot(to, normal)));
        brightness = (1 - t->reflects) * brightness + t->reflects * trace(at, mirrored, bounces + 1);
    }
    return brightness;
}

static void build(void) {
    struct random r = random_from(17);
    for (int i = 0; i < SPHERES; i++) {
        struct vector centre = {6 * random_unit(&r) - 3, 2 * random_unit(&r), 5 * random_unit(&r)};
        things[i] = (struct thing){hit_sphere, sphere_normal, centre, 0.4 + 0.5 * random_unit(&r),
                                   0.7 * random_unit(&r), 0.3 + 0.7 * random_unit(&r)};
    }
    things[SPHERES] = (struct thing){hit_plane, plane_normal, {0, -0.8, 0}, 0, 0.2, 0.9};
}

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    struct random r = random_from(18);
    build();
    uint64_t sum = 0;
    for (uint32_t row = 0; row < n; row++) {
        double y = 1.5 - 2.5 * random_unit(&r);
        for (int column = 0; column < WIDTH; column++) {
            struct vector eye = {0, 1, -6};
            struct vector to = unit((struct vector){4.0 * column / WIDTH - 2, y - 0.5, 4});
            sum = mix(sum, (uint64_t)(255 * trace(eye, to, 0)));
        }
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
