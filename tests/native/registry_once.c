/* Scenarios: init runs once, its failure is shared, names are unique, abandoned reservations vanish. */
#include "registry_driver.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ init once */

enum { THREADS = 64, MANY = 100 };

static int inits_of[MANY];         /* not atomic: the registry orders what init wrote before what openers read */

static void *
open_many(void *context)
{
    size_t first = *(size_t *)context;

    for (size_t i = 0; i < MANY; i++) {
        size_t which = (first + i) % MANY;
        RegistryStatus expected = which % 3 == 0 ? REGISTRY_FAILED : REGISTRY_OK;
        char reason[REASON_MAX], name[32];
        Library *library;
        RegistryStatus status;

        snprintf(name, sizeof name, "example.com/%zu", which);
        status = start(name, &library, reason);
        if (status == REGISTRY_RUN_INIT) {
            inits_of[which]++;
            sched_yield();
            finish(library, expected == REGISTRY_FAILED, "");
            status = expected;
        }
        CHECK(expected == status || (expected == REGISTRY_FAILED && status == REGISTRY_FAILED_BEFORE));
        CHECK(1 == inits_of[which]);
    }
    return NULL;
}

void
scenario_once(void)
{
    pthread_t threads[THREADS];
    size_t first[THREADS];

    for (size_t i = 0; i < THREADS; i++) {
        first[i] = i / 4 * 7;      /* four threads a library at first, then all of them everywhere */
        CHECK(0 == pthread_create(&threads[i], NULL, open_many, &first[i]));
    }
    for (size_t i = 0; i < THREADS; i++) {
        CHECK(0 == pthread_join(threads[i], NULL));
    }
}

void
scenario_same_file(void)
{
    char reason[REASON_MAX];
    Library *first, *second, *other;
    FileIdentity a = {.device = 1, .inode = 2, .size = 3}, b = {.device = 1, .inode = 2, .size = 4};
    FileIdentity c = {.device = 2, .inode = 2, .size = 3};

    CHECK(REGISTRY_OK == registry_reserve(&a, "/lib/a.so", "a", &first, reason));
    CHECK(REGISTRY_OK == registry_reserve(&b, "/lib/link.so", "a", &second, reason));
    CHECK(REGISTRY_OK == registry_reserve(&c, "/lib/c.so", "c", &other, reason));
    CHECK(first == second && first != other);
}

void
scenario_waiters_succeed(void)
{
    Side init, waiters[3];

    side_start(&init, side_init, "a");
    side_await(&init);
    for (int i = 0; i < 3; i++) {
        side_start(&waiters[i], side_open, "a");
    }
    await_waiting(3);
    side_finish(&init);
    for (int i = 0; i < 3; i++) {
        side_finish(&waiters[i]);
    }
}

/* ------------------------------------------------------------------ failures */

static void *
side_failing_init(void *context)
{
    Side *side = context;
    Library *library = enter_init(side->name);

    side_pause(side);
    finish(library, 7, "no device");
    return NULL;
}

static void *
side_shares_failure(void *context)
{
    const Side *side = context;

    expect_failure(REGISTRY_FAILED, side->name, 7, "no device");
    return NULL;
}

void
scenario_failure_shared(void)
{
    char reason[REASON_MAX];
    Library *early;
    Side init, waiters[3];

    side_start(&init, side_failing_init, "a");
    side_await(&init);
    CHECK(REGISTRY_OK == reserve("a", &early, reason));
    for (int i = 0; i < 3; i++) {
        side_start(&waiters[i], side_shares_failure, "a");
    }
    await_waiting(3);
    side_finish(&init);
    for (int i = 0; i < 3; i++) {
        side_finish(&waiters[i]);
    }
    CHECK(REGISTRY_FAILED == registry_initialise(early, reason));
}

void
scenario_failure_before(void)
{
    finish(enter_init("a"), 7, "no device");
    expect_failure(REGISTRY_FAILED_BEFORE, "a", 7, "no device");
    expect_failure(REGISTRY_FAILED_BEFORE, "a", 7, "no device");
}

void
scenario_failure_unended(void)
{
    NativeError error = {.code = 1};
    Library *library = enter_init("a");

    memset(error.message, 'x', sizeof error.message);
    registry_initialised(library, &error);
    CHECK(ERROR_MESSAGE_MAX - 1 == strlen(registry_failure(library).message));
}

void
scenario_failure_memory(void)
{
    Library *library = enter_init("a");

    no_memory = true;
    finish(library, 7, "no device");
    expect_failure(REGISTRY_FAILED_BEFORE, "a", 7, "memory was too short to keep what its init said");
    CHECK(1 == live_entries);
}

/* ------------------------------------------------------------------ names */

void
scenario_name_taken(void)
{
    char reason[REASON_MAX];
    Library *library;

    CHECK(REGISTRY_OK == reserve_file("/lib/first.so", "reserved", &library, reason));
    expect_taken("/lib/second.so", "reserved", "/lib/first.so");
    open_fully("ready");
    expect_taken("/lib/second.so", "ready", "/lib/ready.so");
    library = enter_init("failed");
    expect_taken("/lib/second.so", "failed", "/lib/failed.so");
    finish(library, 7, "no device");
    expect_taken("/lib/second.so", "failed", "/lib/failed.so");
}

void
scenario_name_none(void)
{
    char reason[REASON_MAX];
    Library *first, *second;

    CHECK(REGISTRY_OK == reserve_file("/lib/m.so", NULL, &first, reason));
    CHECK(REGISTRY_OK == reserve_file("/lib/z.so", NULL, &second, reason));
    CHECK(first != second);
}

void
scenario_name_long_path(void)
{
    char reason[REASON_MAX], path[2 * REASON_MAX];
    Library *library;

    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    CHECK(REGISTRY_OK == reserve_file(path, "a", &library, reason));
    CHECK(REGISTRY_NAME_TAKEN == reserve_file("/lib/b.so", "a", &library, reason));
    CHECK(REASON_MAX - 1 == strlen(reason));
}

void
scenario_abandon(void)
{
    char reason[REASON_MAX];
    Library *first, *second, *again;

    CHECK(REGISTRY_OK == reserve_file("/lib/a.so", "a", &first, reason));
    CHECK(REGISTRY_OK == reserve_file("/lib/a.so", "a", &second, reason));
    registry_abandon(first);
    expect_taken("/lib/b.so", "a", "/lib/a.so");
    registry_abandon(second);
    CHECK(0 == live_entries);
    CHECK(REGISTRY_OK == reserve_file("/lib/b.so", "a", &again, reason));
    CHECK(1 == live_entries);
}

/* More than the tables have buckets, a third of which go, in another order than they came, and some without a name. */
void
scenario_abandon_many(void)
{
    enum { FILES = 1200 };
    char reason[REASON_MAX], path[32], name[16];
    Library *libraries[FILES], *again;

    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "/lib/%d.so", i);
        snprintf(name, sizeof name, "n%d", i);
        CHECK(REGISTRY_OK == reserve_file(path, i % 5 == 0 ? NULL : name, &libraries[i], reason));
    }
    for (int i = FILES - 1; i >= 0; i--) {
        if (i * 7 % 3 == 0) {
            registry_abandon(libraries[i]);
        }
    }
    CHECK(FILES / 3 * 2 == live_entries);
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "/lib/%d.so", i);
        snprintf(name, sizeof name, "n%d", i);
        if (i * 7 % 3 == 0) {
            CHECK(REGISTRY_OK == reserve_file("/lib/other.so", name, &again, reason));
            registry_abandon(again);
            continue;
        }
        if (i % 5 != 0) {
            expect_taken("/lib/other.so", name, path);
        }
        CHECK(REGISTRY_OK == reserve_file(path, name, &again, reason));
        CHECK(again == libraries[i]);
    }
}

void
scenario_abandon_late(void)
{
    char reason[REASON_MAX];
    Library *library;

    CHECK(REGISTRY_OK == reserve("a", &library, reason));
    open_fully("a");
    registry_abandon(library);
    CHECK(REGISTRY_OK == open_status("a"));
}

static void *
churn(void *context)
{
    unsigned state = *(unsigned *)context;

    for (int i = 0; i < 3000; i++) {
        char reason[REASON_MAX], path[32], name[8];
        Library *library;
        RegistryStatus status;

        state = state * 1103515245u + 12345u;
        snprintf(name, sizeof name, "%u", state >> 16 & 7);
        snprintf(path, sizeof path, "/lib/%s-%u.so", name, state >> 20 & 1);
        status = reserve_file(path, name, &library, reason);
        CHECK(status == REGISTRY_OK || status == REGISTRY_NAME_TAKEN);
        if (status == REGISTRY_OK) {
            RegistryFrame frame;

            registry_enter_dlopen(&frame, library);
            registry_leave_dlopen(&frame);
            registry_abandon(library);
        }
    }
    return NULL;
}

void
scenario_abandon_churn(void)
{
    pthread_t threads[8];
    unsigned seeds[8];

    for (unsigned i = 0; i < 8; i++) {
        seeds[i] = i;
        CHECK(0 == pthread_create(&threads[i], NULL, churn, &seeds[i]));
    }
    for (unsigned i = 0; i < 8; i++) {
        CHECK(0 == pthread_join(threads[i], NULL));
    }
    CHECK(0 == live_entries);
}

void
scenario_memory(void)
{
    char reason[REASON_MAX];
    Library *library;

    no_memory = true;
    CHECK(REGISTRY_MEMORY == reserve("a", &library, reason));
    CHECK(library == NULL);
    no_memory = false;
    open_fully("a");
    CHECK(1 == live_entries);      /* there is no room for what no init says */
}
