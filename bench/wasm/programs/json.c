/* n rounds of reading a JSON text of some KiB into a tree, adding up what is in it, and writing it
   out again, which is read in the next round. */
#include "corpus.h"
#include <string.h>

#define TEXT 65536
#define ARENA (1 << 20)

enum kind { NULL_VALUE, FALSE_VALUE, TRUE_VALUE, NUMBER, STRING, ARRAY, OBJECT };

struct value {
    enum kind kind;
    uint32_t length;
    double number;
    const char *name, *text;
    struct value *first, *next;
};

static char text[TEXT];
static size_t end;
static _Alignas(16) char arena[ARENA];
static size_t used;
static const char *at;

static void *take(size_t size) {
    size_t from = used;
    used += (size + 15) & ~(size_t)15;
    if (used > ARENA) {
        fprintf(stderr, "arena full\n");
        exit(1);
    }
    return arena + from;
}

static void fail(const char *what) {
    fprintf(stderr, "%s expected at %ld\n", what, (long)(at - text));
    exit(1);
}

static void skip_space(void) {
    while (*at == ' ' || *at == '\n' || *at == '\t') at++;
}

static const char *read_string(uint32_t *length) {
    const char *from = ++at;
    while (*at != '"') at += *at == '\\' ? 2 : 1;
    char *copy = take((size_t)(at - from) + 1), *to = copy;
    for (; from < at; from++) {
        if (*from == '\\') from++;
        *to++ = *from;
    }
    *to = '\0';
    *length = (uint32_t)(to - copy);
    at++;
    return copy;
}

static double read_number(void) {
    double sign = 1, value = 0;
    if (*at == '-') {
        sign = -1;
        at++;
    }
    if (*at < '0' || *at > '9') fail("digit");
    for (; *at >= '0' && *at <= '9'; at++) value = 10 * value + (*at - '0');
    if (*at == '.') {
        double scale = 1;
        for (at++; *at >= '0' && *at <= '9'; at++) {
            value = 10 * value + (*at - '0');
            scale *= 10;
        }
        value /= scale;
    }
    return sign * value;
}

static struct value *read_value(void);

static void read_members(struct value *parent, char close) {
    struct value **last = &parent->first;
    at++;
    skip_space();
    while (*at != close) {
        const char *name = NULL;
        uint32_t length;
        if (close == '}') {
            if (*at != '"') fail("name");
            name = read_string(&length);
            skip_space();
            if (*at++ != ':') fail("colon");
        }
        struct value *value = read_value();
        value->name = name;
        *last = value;
        last = &value->next;
        parent->length++;
        skip_space();
        if (*at == ',') at++;
        else if (*at != close) fail("comma");
        skip_space();
    }
    at++;
}

static int word(const char *w) {
    size_t length = strlen(w);
    if (strncmp(at, w, length) != 0) return 0;
    at += length;
    return 1;
}

static struct value *read_value(void) {
    struct value *v = take(sizeof *v);
    *v = (struct value){NULL_VALUE, 0, 0, NULL, NULL, NULL, NULL};
    skip_space();
    switch (*at) {
    case '{':
        v->kind = OBJECT;
        read_members(v, '}');
        break;
    case '[':
        v->kind = ARRAY;
        read_members(v, ']');
        break;
    case '"':
        v->kind = STRING;
        v->text = read_string(&v->length);
        break;
    default:
        if (word("true")) v->kind = TRUE_VALUE;
        else if (word("false")) v->kind = FALSE_VALUE;
        else if (!word("null")) {
            v->kind = NUMBER;
            v->number = read_number();
        }
    }
    return v;
}

static void put(char c) {
    if (end + 1 < TEXT) text[end++] = c;
}

static void put_text(const char *s) {
    while (*s != '\0') put(*s++);
}

static void put_string(const char *s) {
    put('"');
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\') put('\\');
        put(*s);
    }
    put('"');
}

static void put_integer(uint32_t value) {
    char digits[12];
    int count = 0;
    do digits[count++] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    while (count > 0) put(digits[--count]);
}

/* With two digits behind the point. */
static void put_number(double value) {
    if (value < 0) put('-');
    uint32_t hundredths = (uint32_t)((value < 0 ? -value : value) * 100 + 0.5);
    put_integer(hundredths / 100);
    put('.');
    put((char)('0' + hundredths / 10 % 10));
    put((char)('0' + hundredths % 10));
}

static void put_value(const struct value *v) {
    static const char *words[] = {"null", "false", "true"};
    switch (v->kind) {
    case NUMBER:
        put_number(v->number);
        break;
    case STRING:
        put_string(v->text);
        break;
    case ARRAY:
    case OBJECT:
        put(v->kind == ARRAY ? '[' : '{');
        for (const struct value *m = v->first; m != NULL; m = m->next) {
            if (v->kind == OBJECT) {
                put_string(m->name);
                put(':');
            }
            put_value(m);
            if (m->next != NULL) put_text(", ");
        }
        put(v->kind == ARRAY ? ']' : '}');
        break;
    default:
        put_text(words[v->kind]);
    }
}

/* Adds up a tree, and changes its numbers. */
static uint64_t digest(struct value *v, uint64_t sum, uint32_t change) {
    sum = mix(sum, (uint64_t)v->kind << 32 | v->length);
    if (v->name != NULL) sum = mix(sum, (unsigned char)v->name[0]);
    if (v->kind == NUMBER) {
        sum = mix(sum, (uint64_t)(int64_t)(v->number * 100));
        v->number = v->number > 5000 ? v->number - 4321.25 : v->number + change * 0.25;
    }
    for (struct value *m = v->first; m != NULL; m = m->next) sum = digest(m, sum, change);
    return sum;
}

static void first_text(struct random *r) {
    static const char *names[] = {"Ada", "Bo \"the\" fox", "Cy\\prus", "Dora", "Émile", "Fay"};
    put_text("{\"version\": 3, \"people\": [");
    for (int i = 0; i < 60; i++) {
        put_text(i == 0 ? "\n  " : ",\n  ");
        put_text("{\"name\": ");
        put_string(names[random_below(r, 6)]);
        put_text(", \"age\": ");
        put_integer(random_below(r, 90));
        put_text(", \"alive\": ");
        put_text(random_below(r, 2) ? "true" : "false");
        put_text(", \"spouse\": null, \"scores\": [");
        for (uint32_t k = random_below(r, 6); k > 0; k--) {
            put_number((double)random_below(r, 100000) / 100 - 500);
            put_text(", ");
        }
        put_text("-1.5], \"address\": {\"street\": \"Long Street\", \"number\": ");
        put_integer(random_below(r, 300));
        put_text("}}");
    }
    put_text("\n]}");
    text[end] = '\0';
}

int main(int argc, char **argv) {
    uint32_t n = size_argument(argc, argv);
    struct random r = random_from(13);
    first_text(&r);
    uint64_t sum = 0;
    for (uint32_t round = 0; round < n; round++) {
        used = 0;
        at = text;
        struct value *root = read_value();
        if (*at != '\0') fail("end");
        sum = digest(root, sum, random_below(&r, 100));
        end = 0;
        put_value(root);
        text[end] = '\0';
        sum = mix(sum, end);
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}
