/* Plays the openers of libraries for registry.c: `registry_driver SCENARIO`, exit status 0 if it held.
 * No library is loaded.  Linked with --wrap for calloc, free and pthread_cond_wait, to count and to fail. */
#include "registry_driver.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void
broken(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    _exit(1);
}

void
check_text(const char *expected, const char *found, const char *file, int line)
{
    if (strcmp(expected, found) != 0) {
        fprintf(stderr, "expected %s\nfound    %s\n", expected, found);
        broken("another text was expected", file, line);
    }
}

/* ------------------------------------------------------------------ what is wrapped */

atomic_int live_entries;
atomic_int waiting;
atomic_bool no_memory;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __real_free(void *block);
void __wrap_free(void *block);
int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);

void *
__wrap_calloc(size_t count, size_t size)
{
    if (no_memory) {
        return NULL;
    }
    live_entries++;
    return __real_calloc(count, size);
}

void
__wrap_free(void *block)
{
    live_entries--;
    __real_free(block);
}

int
__wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    int status;

    waiting++;
    status = __real_pthread_cond_wait(condition, mutex);
    waiting--;
    return status;
}

void
await_waiting(int count)
{
    while (waiting != count) {
        sched_yield();
    }
}

/* ------------------------------------------------------------------ openers */

RegistryStatus
reserve_file(const char *path, const char *name, Library **library, char reason[REASON_MAX])
{
    FileIdentity identity = {.device = 1, .inode = 5381};

    for (const char *p = path; *p != '\0'; p++) {
        identity.inode = identity.inode * 33 + (unsigned char)*p;
    }
    return registry_reserve(&identity, path, name, library, reason);
}

RegistryStatus
reserve(const char *name, Library **library, char reason[REASON_MAX])
{
    char path[64];

    snprintf(path, sizeof path, "/lib/%s.so", name);
    return reserve_file(path, name, library, reason);
}

RegistryStatus
start(const char *name, Library **library, char reason[REASON_MAX])
{
    RegistryFrame frame;
    RegistryStatus status = reserve(name, library, reason);

    if (status != REGISTRY_OK) {
        return status;
    }
    registry_enter_dlopen(&frame, *library);
    registry_leave_dlopen(&frame);
    return registry_initialise(*library, reason);
}

RegistryStatus
open_status(const char *name)
{
    char reason[REASON_MAX];
    Library *library;

    return start(name, &library, reason);
}

Library *
enter_init(const char *name)
{
    char reason[REASON_MAX];
    Library *library;

    CHECK(REGISTRY_RUN_INIT == start(name, &library, reason));
    return library;
}

void
finish(Library *library, int32_t code, const char *message)
{
    NativeError error = {.code = code};

    snprintf(error.message, sizeof error.message, "%s", message);
    registry_initialised(library, &error);
}

void
open_fully(const char *name)
{
    finish(enter_init(name), 0, "");
}

void
expect_ring(const char *name, const char *expected)
{
    char reason[REASON_MAX];
    Library *library;

    CHECK(REGISTRY_RING == start(name, &library, reason));
    CHECK_TEXT(expected, reason);
}

void
expect_failure(RegistryStatus expected, const char *name, int32_t code, const char *message)
{
    char reason[REASON_MAX];
    Library *library;

    CHECK(expected == start(name, &library, reason));
    CHECK(code == registry_failure(library).code);
    CHECK_TEXT(message, registry_failure(library).message);
}

void
side_start(Side *side, void *(*body)(void *), const char *name)
{
    side->name = name;
    CHECK(0 == sem_init(&side->ready, 0, 0) && 0 == sem_init(&side->go_on, 0, 0));
    CHECK(0 == pthread_create(&side->thread, NULL, body, side));
}

void
side_pause(Side *side)
{
    sem_post(&side->ready);
    while (sem_wait(&side->go_on) != 0) {
    }
}

void
side_await(Side *side)
{
    while (sem_wait(&side->ready) != 0) {
    }
}

void
side_finish(Side *side)
{
    sem_post(&side->go_on);
    CHECK(0 == pthread_join(side->thread, NULL));
}

void
expect_taken(const char *path, const char *name, const char *by)
{
    char reason[REASON_MAX];
    Library *library;

    CHECK(REGISTRY_NAME_TAKEN == reserve_file(path, name, &library, reason));
    CHECK(library == NULL);
    CHECK_TEXT(by, reason);
}

void *
side_init(void *context)
{
    Side *side = context;
    Library *library = enter_init(side->name);

    side_pause(side);
    finish(library, 0, "");
    return NULL;
}

void *
side_open(void *context)
{
    const Side *side = context;

    CHECK(REGISTRY_OK == open_status(side->name));
    return NULL;
}

void *
side_loading(void *context)
{
    char reason[REASON_MAX];
    Side *side = context;
    RegistryFrame frame;
    Library *library;

    CHECK(REGISTRY_OK == reserve(side->name, &library, reason));
    registry_enter_dlopen(&frame, library);
    side_pause(side);
    registry_leave_dlopen(&frame);
    registry_abandon(library);
    return NULL;
}

/* ------------------------------------------------------------------ which */

#define SCENARIO(name) {#name, scenario_##name}

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    SCENARIO(once),
    SCENARIO(same_file),
    SCENARIO(waiters_succeed),
    SCENARIO(failure_shared),
    SCENARIO(failure_before),
    SCENARIO(failure_unended),
    SCENARIO(failure_memory),
    SCENARIO(name_taken),
    SCENARIO(name_none),
    SCENARIO(name_long_path),
    SCENARIO(abandon),
    SCENARIO(abandon_many),
    SCENARIO(abandon_late),
    SCENARIO(abandon_churn),
    SCENARIO(memory),
    SCENARIO(ring_self),
    SCENARIO(ring_nested),
    SCENARIO(ring_nameless),
    SCENARIO(ring_2_threads),
    SCENARIO(ring_3_threads),
    SCENARIO(ring_falls),
    SCENARIO(ring_none),
    SCENARIO(constructor_waits_not),
    SCENARIO(constructor_over),
    SCENARIO(constructor_ring),
    SCENARIO(fork_foreign_init),
    SCENARIO(fork_own_init),
    SCENARIO(fork_foreign_reservation),
    SCENARIO(fork_foreign_dlopen),
    SCENARIO(fork_own_dlopen),
    SCENARIO(fork_storm),
};

int
main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        if (argc == 2 && strcmp(argv[1], scenarios[i].name) == 0) {
            scenarios[i].run();
            return 0;
        }
    }
    fprintf(stderr, "usage: registry_driver SCENARIO\n");
    return 2;
}
