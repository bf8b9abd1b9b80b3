// Counts calls under four busy threads, replaces a function under them and restores it. Every result
// is checked, and must be the old one or the new one.
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "hotsled.h"
#include "price.h"

enum { THREADS = 4, CALLS = 200000, SWITCHES = 50 };

static atomic_bool stop;
static pthread_barrier_t running; // a thread that is being created blocks SIGTRAP, and no sled is patched then
static atomic_ulong old_results, new_results, wrong_results;

static long no_tax(long net) {
    (void)net;
    return 0;
}

static void must(hotsled_status status, const char *what) {
    if (status == HOTSLED_STATUS_OK) return;
    char detail[512];
    hotsled_probe_last_error(detail, sizeof detail);
    fprintf(stderr, "%s: %s: %s\n", what, hotsled_probe_message(status), detail);
    exit(1);
}

static void refused(const void *function, const char *reason, void *context) {
    (void)function;
    printf("left alone: %s\n", reason);
    ++*(int *)context;
}

static void call_and_check(long net) {
    long got = gross(net);
    atomic_ulong *kind = got == net + net / 5 ? &old_results : got == net ? &new_results : &wrong_results;
    atomic_fetch_add_explicit(kind, 1, memory_order_relaxed);
}

static void *some_calls(void *unused) {
    pthread_barrier_wait(&running);
    for (long net = 5; net < 5 + CALLS; net++) call_and_check(net);
    return unused;
}

static void *calls_until_stopped(void *unused) {
    pthread_barrier_wait(&running);
    for (long net = 5; !atomic_load(&stop); net = net % 1000000 + 5) call_and_check(net);
    return unused;
}

static void start(pthread_t *threads, void *(*body)(void *)) {
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, body, NULL)) exit(1);
    pthread_barrier_wait(&running);
}

static void join(pthread_t *threads) {
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

// Until another hundred results of this kind were seen.
static void await(atomic_ulong *results) {
    unsigned long wanted = atomic_load(results) + 100;
    time_t end = time(NULL) + 30;
    while (atomic_load(results) < wanted) {
        sched_yield();
        if (time(NULL) > end) {
            fprintf(stderr, "no result of the kind that is awaited\n");
            exit(1);
        }
    }
}

static void count_calls(void) {
    pthread_t threads[THREADS];
    uint64_t of_gross, of_tax;
    must(hotsled_probe_count(gross), "count gross");
    must(hotsled_probe_count(tax), "count tax");
    start(threads, some_calls);
    join(threads);
    must(hotsled_probe_calls(gross, &of_gross), "calls of gross");
    must(hotsled_probe_calls(tax, &of_tax), "calls of tax");
    must(hotsled_probe_restore(gross), "restore gross");
    printf("counted: gross %lu, tax %lu\n", (unsigned long)of_gross, (unsigned long)of_tax);
}

static void replace_and_restore(void) {
    pthread_t threads[THREADS];
    start(threads, calls_until_stopped);
    for (int i = 0; i < SWITCHES; i++) {
        must(hotsled_probe_replace(tax, no_tax), "replace tax");
        await(&new_results);
        must(hotsled_probe_restore(tax), "restore tax");
        await(&old_results);
    }
    atomic_store(&stop, 1);
    join(threads);
    printf("switched: %d times there and back under %d threads\n", SWITCHES, THREADS);
}

int main(void) {
    pthread_barrier_init(&running, NULL, THREADS + 1);
    // gcc lays sixteen one-byte nops, which are fused here, before there are threads; clang one long
    // nop, for which any time would do.
    int alone = 0;
    size_t adopted = 0;
    must(hotsled_probe_adopt(gross, 16, 0, HOTSLED_FUSE_AT_LOAD, refused, &alone, &adopted), "adopt");
    printf("adopted: %zu functions, %d left alone\n", adopted, alone);
    count_calls();
    replace_and_restore();
    hotsled_status unknown = hotsled_probe_count(main);
    printf("main: %s\n", hotsled_probe_message(unknown));
    unsigned long wrong = atomic_load(&wrong_results);
    printf("wrong results: %lu\n", wrong);
    return wrong != 0;
}
