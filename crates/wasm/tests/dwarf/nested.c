// Traps in a nested call: at -O1 `quotient` is inlined into `mean`, the calls of the others stay.

static int quotient(int sum, int count) {
    return sum / count;
}

__attribute__((noinline)) int mean(const int *values, int count) {
    int sum = 0;
    for (int i = 0; i < count; i++) {
        sum += values[i];
    }
    return quotient(sum, count);
}

__attribute__((noinline)) int spread(const int *values, int count) {
    int low = mean(values, count / 2);
    int high = mean(values + count / 2, count - count / 2);
    return high - low;
}

__attribute__((export_name("run"))) int run(int count) {
    static const int values[] = {3, 1, 4, 1, 5, 9, 2, 6};
    return spread(values, count) + 1;
}
