/* A byte-code machine whose handlers are called through a table: n rounds of a loop of seven
   instructions. An instruction is four bytes: opcode, destination, and two operands. */
#include "bench.h"

static int64_t reg[8];

/* r0 counts to r1; r2 is a random state, r4 its multiplier, r3 the checksum, r5 scratch. */
static uint8_t code[] = {
    3, 2, 2, 4,    /* mul  r2, r2, r4 */
    4, 2, 2, 77,   /* addi r2, r2, 77 */
    5, 5, 2, 33,   /* shri r5, r2, 33 */
    2, 3, 3, 5,    /* xor  r3, r3, r5 */
    1, 3, 3, 0,    /* add  r3, r3, r0 */
    4, 0, 0, 1,    /* addi r0, r0, 1 */
    6, 0, 1, 232,  /* jlt  r0, r1, -24 */
    0, 0, 0, 0,    /* halt */
};

typedef int32_t handler(int32_t pc);

static int32_t op_halt(int32_t pc) {
    (void)pc;
    return -1;
}
static int32_t op_add(int32_t pc) {
    reg[code[pc + 1]] = (int64_t)((uint64_t)reg[code[pc + 2]] + (uint64_t)reg[code[pc + 3]]);
    return pc + 4;
}
static int32_t op_xor(int32_t pc) {
    reg[code[pc + 1]] = reg[code[pc + 2]] ^ reg[code[pc + 3]];
    return pc + 4;
}
static int32_t op_mul(int32_t pc) {
    reg[code[pc + 1]] = (int64_t)((uint64_t)reg[code[pc + 2]] * (uint64_t)reg[code[pc + 3]]);
    return pc + 4;
}
static int32_t op_addi(int32_t pc) {
    reg[code[pc + 1]] = (int64_t)((uint64_t)reg[code[pc + 2]] + code[pc + 3]);
    return pc + 4;
}
static int32_t op_shri(int32_t pc) {
    reg[code[pc + 1]] = (int64_t)((uint64_t)reg[code[pc + 2]] >> code[pc + 3]);
    return pc + 4;
}
static int32_t op_jlt(int32_t pc) {
    if (reg[code[pc + 1]] < reg[code[pc + 2]]) return pc + (int8_t)code[pc + 3];
    return pc + 4;
}

static handler *const handlers[] = {op_halt, op_add, op_xor, op_mul, op_addi, op_shri, op_jlt};

int64_t bench_main(int64_t n) {
    reg[0] = 0;
    reg[1] = n;
    reg[2] = (int64_t)SEED;
    reg[3] = 0;
    reg[4] = 6364136223846793005;
    reg[5] = 0;
    int32_t pc = 0;
    while (pc >= 0) pc = handlers[code[pc]](pc);
    return reg[3];
}
