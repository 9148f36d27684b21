/* n passes of regular expressions over 4 KiB of text, by Thompson's simulation: all threads of the
   expression's program advance by one character at a time. */
#include "corpus.h"
#include <string.h>

#define TEXT 4096
#define MAX_PROGRAM 128

enum op { CHAR, ANY, CLASS, SPLIT, JUMP, MATCH };

struct instruction {
    enum op op;
    unsigned char low, high;
    int to, or_to;
};

struct list {
    int count;
    int threads[MAX_PROGRAM];
};

static struct instruction program[MAX_PROGRAM];
static int length;
static const char *rest;
static uint32_t seen_at[MAX_PROGRAM], generation;
static char text[TEXT + 1];

static int emit(enum op op, int to, int or_to) {
    program[length] = (struct instruction){op, 0, 0, to, or_to};
    return length++;
}

/* Makes room for one instruction at `at`; what is behind moves, with its targets. */
static void insert(int at) {
    memmove(&program[at + 1], &program[at], (size_t)(length - at) * sizeof program[0]);
    length++;
    for (int i = at + 1; i < length; i++) {
        if (program[i].to >= at) program[i].to++;
        if (program[i].or_to >= at) program[i].or_to++;
    }
}

static void alternatives(void);

static void atom(void) {
    if (*rest == '(') {
        rest++;
        alternatives();
        rest++;
    } else if (*rest == '[') {
        int i = emit(CLASS, 0, 0);
        program[i].low = (unsigned char)rest[1];
        program[i].high = (unsigned char)rest[3];
        rest += 5;
    } else if (*rest == '.') {
        emit(ANY, 0, 0);
        rest++;
    } else {
        program[emit(CHAR, 0, 0)].low = (unsigned char)*rest++;
    }
}

static void repetition(void) {
    int start = length;
    atom();
    for (; *rest == '*' || *rest == '+' || *rest == '?'; rest++) {
        if (*rest == '+') {
            emit(SPLIT, start, length + 1);
            continue;
        }
        insert(start);
        if (*rest == '*') emit(JUMP, start, 0);
        program[start] = (struct instruction){SPLIT, 0, 0, start + 1, length};
    }
}

static void sequence(void) {
    while (*rest != '\0' && *rest != '|' && *rest != ')') repetition();
}

static void alternatives(void) {
    int start = length;
    sequence();
    if (*rest == '|') {
        rest++;
        insert(start);
        int jump = emit(JUMP, 0, 0);
        program[start] = (struct instruction){SPLIT, 0, 0, start + 1, length};
        alternatives();
        program[jump].to = length;
    }
}

static void compile(const char *pattern) {
    length = 0;
    rest = pattern;
    alternatives();
    emit(MATCH, 0, 0);
}

static void add_thread(struct list *list, int at) {
    if (seen_at[at] == generation) return;
    seen_at[at] = generation;
    switch (program[at].op) {
    case JUMP:
        add_thread(list, program[at].to);
        break;
    case SPLIT:
        add_thread(list, program[at].to);
        add_thread(list, program[at].or_to);
        break;
    default:
        list->threads[list->count++] = at;
    }
}

/* Matches that end in the text, wherever they start: how many, and where. */
static uint64_t search(uint64_t sum) {
    static struct list lists[2];
    struct list *now = &lists[0], *next = &lists[1];
    uint32_t matches = 0;
    now->count = 0;
    generation++;
    for (int at = 0; at <= TEXT; at++) {
        add_thread(now, 0);
        generation++;
        next->count = 0;
        unsigned char c = (unsigned char)text[at];
        for (int i = 0; i < now->count; i++) {
            int thread = now->threads[i];
            const struct instruction *in = &program[thread];
            int goes_on = 0;
            switch (in->op) {
            case CHAR:
                goes_on = c == in->low;
                break;
            case CLASS:
                goes_on = c >= in->low && c <= in->high;
                break;
            case ANY:
                goes_on = c != '\n' && c != '\0';
                break;
            default:
                matches++;
                sum = mix(sum, (uint64_t)at);
            }
            if (goes_on) add_thread(next, thread + 1);
        }
        struct list *kept = now;
        now = next;
        next = kept;
    }
    return mix(sum, matches);
}

int main(int argc, char **argv) {
    static const char *patterns[] = {"(a|b)*abb", "[0-9]+(.[0-9]+)?", "x(a|(b|c)+d)*y",
                                     "(ab?c?)+d",  "[a-d][a-d][x-z]", "b.*c.d"};
    uint32_t n = size_argument(argc, argv);
    struct random r = random_from(8);
    uint64_t sum = 0;
    for (uint32_t pass = 0; pass < n; pass++) {
        for (int i = 0; i < TEXT; i++) text[i] = "aabbbccdxyz0123.\n a"[random_below(&r, 19)];
        compile(patterns[pass % 6]);
        sum = search(sum);
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
