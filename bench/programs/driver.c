/* Makes a native program an executable: `program N` prints its checksum. */
#include "bench.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s N\n", argv[0]);
        return 2;
    }
    printf("%" PRId64 "\n", bench_main(strtoll(argv[1], NULL, 10)));
    return 0;
}
