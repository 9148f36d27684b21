/* A program that does nothing but say so: what starting and ending cost. */
#include <stdio.h>

int main(void) {
    puts("hello");
    return 0;
}
