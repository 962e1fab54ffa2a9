/* What the scenarios of registry_driver share: openers of pretended libraries, and threads to play them.
 * Each function ends the process with status 1 when what it expects does not hold. */
#ifndef REGISTRY_DRIVER_H
#define REGISTRY_DRIVER_H

#define _POSIX_C_SOURCE 200809L    /* barriers, in spite of -std=c11 */

#include "native.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#define CHECK(condition) ((condition) ? (void)0 : broken(#condition, __FILE__, __LINE__))
#define CHECK_TEXT(expected, found) check_text(expected, found, __FILE__, __LINE__)

_Noreturn void broken(const char *what, const char *file, int line);
void check_text(const char *expected, const char *found, const char *file, int line);

extern atomic_int live_entries;    /* what registry.c has allocated */
extern atomic_int waiting;         /* threads that wait for an init */
extern atomic_bool no_memory;      /* calloc fails */

/* Return once `count` threads wait for an init; the registry's mutex makes that reliable. */
void await_waiting(int count);

/* registry_reserve; the file is told by its path, or else is /lib/NAME.so. */
RegistryStatus reserve_file(const char *path, const char *name, Library **library, char reason[REASON_MAX]);
RegistryStatus reserve(const char *name, Library **library, char reason[REASON_MAX]);

/* A whole open: up to init, giving the library or the status only; as the one who runs init; to its end. */
RegistryStatus start(const char *name, Library **library, char reason[REASON_MAX]);
RegistryStatus open_status(const char *name);
Library *enter_init(const char *name);
void open_fully(const char *name);

/* End init. */
void finish(Library *library, int32_t code, const char *message);

void expect_ring(const char *name, const char *expected);
void expect_failure(RegistryStatus expected, const char *name, int32_t code, const char *message);
void expect_taken(const char *path, const char *name, const char *by);

/* A thread that is in the middle of something until it is told to go on. */
typedef struct {
    pthread_t thread;
    const char *name;
    sem_t ready;
    sem_t go_on;
} Side;

void side_start(Side *side, void *(*body)(void *), const char *name);
void side_pause(Side *side);       /* the thread itself: ready; wait for side_finish */
void side_await(Side *side);       /* until it is ready */
void side_finish(Side *side);      /* let it go on, and join it */

/* Bodies of such threads: pause in the middle of init; open, expecting success; pause inside dlopen. */
void *side_init(void *context);
void *side_open(void *context);
void *side_loading(void *context);

/* The scenarios; tests/test_registry_native.py says what each claims. */
void scenario_once(void);
void scenario_same_file(void);
void scenario_waiters_succeed(void);
void scenario_failure_shared(void);
void scenario_failure_before(void);
void scenario_failure_unended(void);
void scenario_failure_memory(void);
void scenario_name_taken(void);
void scenario_name_none(void);
void scenario_name_long_path(void);
void scenario_abandon(void);
void scenario_abandon_many(void);
void scenario_abandon_late(void);
void scenario_abandon_churn(void);
void scenario_memory(void);
void scenario_ring_self(void);
void scenario_ring_nested(void);
void scenario_ring_nameless(void);
void scenario_ring_2_threads(void);
void scenario_ring_3_threads(void);
void scenario_ring_falls(void);
void scenario_ring_none(void);
void scenario_constructor_waits_not(void);
void scenario_constructor_over(void);
void scenario_constructor_ring(void);
void scenario_fork_foreign_init(void);
void scenario_fork_own_init(void);
void scenario_fork_foreign_reservation(void);
void scenario_fork_foreign_dlopen(void);
void scenario_fork_own_dlopen(void);
void scenario_fork_storm(void);

#endif
