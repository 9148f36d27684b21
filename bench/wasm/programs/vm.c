/* n runs of a byte-code program in an interpreter with one switch: registers, memory, branches. The
   byte code finds primes, follows Collatz sequences and fills a memory by them. */
#include "corpus.h"

#define MEMORY 1024

enum op { LOAD_INT, MOVE, ADD, SUB, MUL, DIV, REM, AND, SHIFT_RIGHT, LESS, EQUAL, LOAD, STORE, JUMP,
          JUMP_IF, JUMP_UNLESS, HALT };

struct instruction {
    uint8_t op, a, b, c;
    int32_t value;
};

static const struct instruction code[] = {
    /* r0: the argument; r1: i from 2 on; r9: the sum */
    {LOAD_INT, 1, 0, 0, 2}, {LOAD_INT, 9, 0, 0, 0}, {LOAD_INT, 8, 0, 0, 1},
    {LOAD_INT, 7, 0, 0, 3}, {LOAD_INT, 6, 0, 0, MEMORY - 1},
    /* 5: while i < r0 */
    {LESS, 2, 1, 0, 0}, {JUMP_UNLESS, 2, 0, 0, 36},
    /* 7: is i prime? r3: divisor */
    {LOAD_INT, 3, 0, 0, 2},
    /* 8: */ {MUL, 4, 3, 3, 0}, {LESS, 2, 1, 4, 0}, {JUMP_IF, 2, 0, 0, 16},
    {REM, 5, 1, 3, 0}, {EQUAL, 2, 5, 15, 0}, {JUMP_IF, 2, 0, 0, 17},
    {ADD, 3, 3, 8, 0}, {JUMP, 0, 0, 0, 8},
    /* 16: prime */ {ADD, 9, 9, 1, 0},
    /* 17: steps of the Collatz sequence of i in r10, its number in r11 */
    {MOVE, 11, 1, 0, 0}, {LOAD_INT, 10, 0, 0, 0},
    /* 19: */ {EQUAL, 2, 11, 8, 0}, {JUMP_IF, 2, 0, 0, 29},
    {AND, 5, 11, 8, 0}, {JUMP_IF, 5, 0, 0, 25},
    {SHIFT_RIGHT, 11, 11, 8, 0}, {JUMP, 0, 0, 0, 27},
    /* 25: */ {MUL, 11, 11, 7, 0}, {ADD, 11, 11, 8, 0},
    /* 27: */ {ADD, 10, 10, 8, 0}, {JUMP, 0, 0, 0, 19},
    /* 29: memory[steps * i mod size] += i */
    {MUL, 12, 10, 1, 0}, {AND, 12, 12, 6, 0}, {LOAD, 13, 12, 0, 0}, {ADD, 13, 13, 1, 0},
    {STORE, 13, 12, 0, 0}, {ADD, 1, 1, 8, 0}, {JUMP, 0, 0, 0, 5},
    /* 36: */ {HALT, 9, 0, 0, 0},
};

static int64_t memory[MEMORY];

static int64_t interpret(int64_t argument) {
    int64_t r[16] = {argument};
    for (uint32_t pc = 0;;) {
        struct instruction in = code[pc++];
        switch (in.op) {
        case LOAD_INT: r[in.a] = in.value; break;
        case MOVE: r[in.a] = r[in.b]; break;
        case ADD: r[in.a] = r[in.b] + r[in.c]; break;
        case SUB: r[in.a] = r[in.b] - r[in.c]; break;
        case MUL: r[in.a] = r[in.b] * r[in.c]; break;
        case DIV: r[in.a] = r[in.b] / r[in.c]; break;
        case REM: r[in.a] = (int64_t)((uint64_t)r[in.b] % (uint64_t)r[in.c]); break;
        case AND: r[in.a] = r[in.b] & r[in.c]; break;
        case SHIFT_RIGHT: r[in.a] = r[in.b] >> r[in.c]; break;
        case LESS: r[in.a] = r[in.b] < r[in.c]; break;
        case EQUAL: r[in.a] = r[in.b] == r[in.c]; break;
        case LOAD: r[in.a] = memory[r[in.b]]; break;
        case STORE: memory[r[in.b]] = r[in.a]; break;
        case JUMP: pc = (uint32_t)in.value; break;
        case JUMP_IF: if (r[in.a] != 0) pc = (uint32_t)in.value; break;
        case JUMP_UNLESS: if (r[in.a] == 0) pc = (uint32_t)in.value; break;
        case HALT: return r[in.a];
        }
    }
}

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    struct random r = random_from(9);
    uint64_t sum = 0;
    for (uint32_t run = 0; run < n; run++) sum = mix(sum, (uint64_t)interpret(100 + random_below(&r, 100)));
    for (int i = 0; i < MEMORY; i++) sum = mix(sum, (uint64_t)memory[i]);
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
