/* Scenarios: the process forks while opens are under way. */
#include "registry_driver.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void *
side_reservation(void *context)
{
    char reason[REASON_MAX];
    Side *side = context;
    RegistryFrame frame;
    Library *library;

    CHECK(REGISTRY_OK == reserve(side->name, &library, reason));
    registry_enter_dlopen(&frame, library);
    registry_leave_dlopen(&frame);
    side_pause(side);
    registry_abandon(library);
    return NULL;
}

#define BY_FORK(doing) "interrupted: the process forked while another thread was " doing " it"

static pid_t
fork_bounded(void)
{
    pid_t child = fork();

    CHECK(child >= 0);
    if (child == 0) {
        alarm(20);
        waiting = 0;
    }
    return child;
}

static void
check_child(pid_t child)
{
    int status;

    CHECK(child == waitpid(child, &status, 0));
    CHECK(WIFEXITED(status) && 0 == WEXITSTATUS(status));
}

/* Threads that wait and are woken, many times over: what a condition variable with phantom waiters cannot.
 * Not with the thread sanitizer, which starts no threads in a child of threads. */
static void
use_condition(void)
{
#ifndef __SANITIZE_THREAD__
    for (int i = 0; i < 20; i++) {
        char name[32];
        Library *library;
        Side waiter;

        snprintf(name, sizeof name, "fresh%d", i);
        library = enter_init(name);
        side_start(&waiter, side_open, name);
        await_waiting(1);
        finish(library, 0, "");
        side_finish(&waiter);
    }
#endif
}

void
scenario_fork_foreign_init(void)
{
    Side b, waiters[3];
    pid_t child;

    side_start(&b, side_init, "b");
    side_await(&b);
    for (int i = 0; i < 3; i++) {
        side_start(&waiters[i], side_open, "b");
    }
    await_waiting(3);
    child = fork_bounded();
    if (child == 0) {
        expect_failure(REGISTRY_FAILED_BEFORE, "b", REGISTRY_INTERRUPTED, BY_FORK("initialising"));
        use_condition();
        _exit(0);
    }
    check_child(child);
    side_finish(&b);
    for (int i = 0; i < 3; i++) {
        side_finish(&waiters[i]);
    }
    CHECK(REGISTRY_OK == open_status("b"));
}

void
scenario_fork_own_init(void)
{
    Library *a = enter_init("a");
    Library *b = enter_init("b");
    Side other;
    pid_t child;

    side_start(&other, side_init, "other");
    side_await(&other);
    child = fork_bounded();
    expect_ring("a", "a ring of opens: a -> b -> a");
    finish(b, 0, "");
    finish(a, 0, "");
    CHECK(REGISTRY_OK == open_status("a") && REGISTRY_OK == open_status("b"));
    if (child == 0) {
        expect_failure(REGISTRY_FAILED_BEFORE, "other", REGISTRY_INTERRUPTED, BY_FORK("initialising"));
        _exit(0);
    }
    check_child(child);
    side_finish(&other);
}

void
scenario_fork_foreign_reservation(void)
{
    char reason[REASON_MAX];
    Library *library;
    Side side;
    pid_t child;

    side_start(&side, side_reservation, "a");
    side_await(&side);
    child = fork_bounded();
    if (child == 0) {
        CHECK(REGISTRY_OK == reserve_file("/lib/second.so", "a", &library, reason));
        CHECK(1 == live_entries);
        _exit(0);
    }
    check_child(child);
    expect_taken("/lib/second.so", "a", "/lib/a.so");
    side_finish(&side);
}

void
scenario_fork_foreign_dlopen(void)
{
    Side side;
    pid_t child;

    side_start(&side, side_loading, "a");
    side_await(&side);
    child = fork_bounded();
    if (child == 0) {
        expect_failure(REGISTRY_FAILED_BEFORE, "a", REGISTRY_INTERRUPTED, BY_FORK("loading"));
        _exit(0);
    }
    check_child(child);
    side_finish(&side);
    open_fully("a");
}

/* The forking thread and another one are inside dlopen of the same library; the child has one opener. */
void
scenario_fork_own_dlopen(void)
{
    char reason[REASON_MAX];
    RegistryFrame frame;
    Library *a;
    Side side;
    pid_t child;

    side_start(&side, side_loading, "a");
    side_await(&side);
    CHECK(REGISTRY_OK == reserve("a", &a, reason));
    registry_enter_dlopen(&frame, a);
    child = fork_bounded();
    expect_taken("/lib/second.so", "a", "/lib/a.so");
    registry_leave_dlopen(&frame);
    if (child == 0) {
        registry_abandon(a);
        CHECK(0 == live_entries);
        open_fully("a");
        _exit(0);
    }
    check_child(child);
    CHECK(REGISTRY_RUN_INIT == registry_initialise(a, reason));
    finish(a, 0, "");
    side_finish(&side);
}

static atomic_bool storm_over;

static void *
storm(void *context)
{
    const char *prefix = ((Side *)context)->name;

    for (int i = 0; !storm_over; i++) {
        char name[32];

        snprintf(name, sizeof name, "%s%d", prefix, i % 500);
        if (i < 500) {
            open_fully(name);
        }
        else {
            CHECK(REGISTRY_OK == open_status(name));
        }
    }
    return NULL;
}

void
scenario_fork_storm(void)
{
    Side sides[2];

    side_start(&sides[0], storm, "x");
    side_start(&sides[1], storm, "y");
    for (int i = 0; i < 50; i++) {
        pid_t child = fork_bounded();

        if (child == 0) {
            Library *library = enter_init("own");

            for (int j = 0; j < 500; j++) {
                char name[32], reason[REASON_MAX];
                Library *other;
                RegistryStatus status;

                snprintf(name, sizeof name, "x%d", j);
                status = start(name, &other, reason);
                CHECK(status != REGISTRY_RING && status != REGISTRY_FAILED);
                if (status == REGISTRY_RUN_INIT) {
                    finish(other, 0, "");
                }
            }
            finish(library, 0, "");
            _exit(0);
        }
        check_child(child);
    }
    storm_over = true;
    side_finish(&sides[0]);
    side_finish(&sides[1]);
}
