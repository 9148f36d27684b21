/* n steps of the Jovian planets' motion (the n-body program of the benchmarks game). */
#include "bench.h"
#include <string.h>

#define BODIES 5
#define DAYS 365.24
#define SOLAR_MASS 39.47841760435743

struct body {
    double x, y, z, vx, vy, vz, mass;
};

static struct body bodies[BODIES];

static void set_body(int32_t i, double x, double y, double z, double vx, double vy, double vz,
                     double mass) {
    bodies[i] = (struct body){x, y, z, vx * DAYS, vy * DAYS, vz * DAYS, mass * SOLAR_MASS};
}

static void init(void) {
    set_body(0, 0, 0, 0, 0, 0, 0, 1);
    set_body(1, 4.84143144246472090, -1.16032004402742839, -0.103622044471123109,
             0.00166007664274403694, 0.00769901118419740425, -0.0000690460016972063023,
             0.000954791938424326609);
    set_body(2, 8.34336671824457987, 4.12479856412430479, -0.403523417114321381,
             -0.00276742510726411484, 0.00499852801234917238, 0.0000230417297573763929,
             0.000285885980666130812);
    set_body(3, 12.8943695621391310, -15.1111514016986312, -0.223307578892655734,
             0.00296460137564761618, 0.00237847173959480950, -0.0000296589568540237556,
             0.0000436624404335156298);
    set_body(4, 15.3796971148509165, -25.9193146099879641, 0.179258772950371181,
             0.00268067772490389322, 0.00162824170038242295, -0.0000951592254519715870,
             0.0000515138902046611451);
    double px = 0, py = 0, pz = 0;
    for (int32_t i = 0; i < BODIES; i++) {
        px += bodies[i].vx * bodies[i].mass;
        py += bodies[i].vy * bodies[i].mass;
        pz += bodies[i].vz * bodies[i].mass;
    }
    bodies[0].vx = -px / SOLAR_MASS;
    bodies[0].vy = -py / SOLAR_MASS;
    bodies[0].vz = -pz / SOLAR_MASS;
}

static void advance(double dt) {
    for (int32_t i = 0; i < BODIES; i++) {
        struct body *p = &bodies[i];
        for (int32_t j = i + 1; j < BODIES; j++) {
            struct body *q = &bodies[j];
            double dx = p->x - q->x, dy = p->y - q->y, dz = p->z - q->z;
            double d2 = dx * dx + dy * dy + dz * dz;
            double mag = dt / (d2 * __builtin_sqrt(d2));
            double mq = q->mass * mag, mp = p->mass * mag;
            p->vx -= dx * mq;
            p->vy -= dy * mq;
            p->vz -= dz * mq;
            q->vx += dx * mp;
            q->vy += dy * mp;
            q->vz += dz * mp;
        }
    }
    for (int32_t i = 0; i < BODIES; i++) {
        struct body *p = &bodies[i];
        p->x += dt * p->vx;
        p->y += dt * p->vy;
        p->z += dt * p->vz;
    }
}

static double energy(void) {
    double e = 0;
    for (int32_t i = 0; i < BODIES; i++) {
        struct body *p = &bodies[i];
        double v2 = p->vx * p->vx + p->vy * p->vy + p->vz * p->vz;
        e += 0.5 * p->mass * v2;
        for (int32_t j = i + 1; j < BODIES; j++) {
            struct body *q = &bodies[j];
            double dx = p->x - q->x, dy = p->y - q->y, dz = p->z - q->z;
            double d2 = dx * dx + dy * dy + dz * dz;
            e -= p->mass * q->mass / __builtin_sqrt(d2);
        }
    }
    return e;
}

int64_t bench_main(int64_t n) {
    init();
    for (int64_t step = 0; step < n; step++) advance(0.01);
    double e = energy();
    int64_t bits;
    memcpy(&bits, &e, sizeof bits);
    return bits;
}
