/* Scenarios: opens that wait for each other in a ring, and constructors that open plugins. */
#include "registry_driver.h"

#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ rings */

void
scenario_ring_self(void)
{
    Library *a = enter_init("a");

    expect_ring("a", "a ring of opens: a -> a");
    finish(a, 0, "");
    CHECK(REGISTRY_OK == open_status("a"));
}

void
scenario_ring_nested(void)
{
    Library *outside = enter_init("outside");
    Library *a = enter_init("a");
    Library *b = enter_init("b");

    expect_ring("a", "a ring of opens: a -> b -> a");
    finish(b, 0, "");
    expect_ring("a", "a ring of opens: a -> a");
    finish(a, 0, "");
    finish(outside, 0, "");
    CHECK(REGISTRY_OK == open_status("a"));
}

void
scenario_ring_nameless(void)
{
    char reason[REASON_MAX];
    Library *library, *again;

    CHECK(REGISTRY_OK == reserve_file("/lib/m.so", NULL, &library, reason));
    CHECK(REGISTRY_RUN_INIT == registry_initialise(library, reason));
    CHECK(REGISTRY_OK == reserve_file("/lib/m.so", NULL, &again, reason));
    CHECK(REGISTRY_RING == registry_initialise(again, reason));
    CHECK_TEXT("a ring of opens: /lib/m.so -> /lib/m.so", reason);
    finish(library, 0, "");
}

/* One thread of a ring: its init runs another one inside, which opens the next thread's first library. */
typedef struct {
    pthread_t thread;
    pthread_barrier_t *barrier;
    char outer[32], inner[32];
    const char *next;
    int32_t code;                  /* what its init ends with when it lost */
    RegistryStatus status;
    char reason[REASON_MAX];
} Member;

static void *
ring_member(void *context)
{
    Member *member = context;
    Library *outer = enter_init(member->outer);
    Library *inner = enter_init(member->inner);
    Library *next;
    bool lost;

    pthread_barrier_wait(member->barrier);
    member->status = start(member->next, &next, member->reason);
    lost = member->status != REGISTRY_OK;
    finish(inner, 0, "");
    finish(outer, lost ? member->code : 0, "lost");
    return NULL;
}

static void
close_ring(Member *members, size_t count, int round, int32_t code)
{
    pthread_barrier_t barrier;

    pthread_barrier_init(&barrier, NULL, (unsigned)count);
    for (size_t i = 0; i < count; i++) {
        Member *member = &members[i];

        member->barrier = &barrier;
        member->code = code;
        member->next = members[(i + 1) % count].outer;
        snprintf(member->outer, sizeof member->outer, "outer%d-%zu", round, i);
        snprintf(member->inner, sizeof member->inner, "inner%d-%zu", round, i);
    }
    for (size_t i = 0; i < count; i++) {
        CHECK(0 == pthread_create(&members[i].thread, NULL, ring_member, &members[i]));
    }
    for (size_t i = 0; i < count; i++) {
        CHECK(0 == pthread_join(members[i].thread, NULL));
    }
    pthread_barrier_destroy(&barrier);
}

static void
check_reason(const Member *members, size_t count, size_t loser)
{
    char expected[REASON_MAX] = "a ring of opens: ";

    for (size_t i = loser; i < loser + count; i++) {
        const Member *member = &members[i % count];
        size_t used = strlen(expected);

        snprintf(expected + used, sizeof expected - used, "%s -> %s -> ", member->outer, member->inner);
    }
    strcat(expected, members[loser].outer);
    CHECK_TEXT(expected, members[loser].reason);
}

static void
ring_of(size_t count)
{
    for (int round = 0; round < 100; round++) {
        Member members[4];
        size_t losers = 0;

        close_ring(members, count, round, 0);
        for (size_t i = 0; i < count; i++) {
            if (members[i].status == REGISTRY_RING) {
                losers++;
                check_reason(members, count, i);
            }
            else {
                CHECK(REGISTRY_OK == members[i].status);
            }
            CHECK(REGISTRY_OK == open_status(members[i].outer));
        }
        CHECK(1 == losers);
    }
}

void
scenario_ring_2_threads(void)
{
    ring_of(2);
}

void
scenario_ring_3_threads(void)
{
    ring_of(3);
}

/* The thread that lost fails its init: the next to it shares that, and fails in turn, all around. */
void
scenario_ring_falls(void)
{
    Member members[3];
    int rings = 0, failures = 0;

    close_ring(members, 3, 0, 5);
    for (int i = 0; i < 3; i++) {
        rings += members[i].status == REGISTRY_RING;
        failures += members[i].status == REGISTRY_FAILED;
        CHECK(REGISTRY_FAILED_BEFORE == open_status(members[i].outer));
    }
    CHECK(1 == rings && 2 == failures);
}

static void *
side_init_that_opens_b(void *context)
{
    const Side *side = context;
    Library *library = enter_init(side->name);

    CHECK(REGISTRY_OK == open_status("b"));
    finish(library, 0, "");
    return NULL;
}

void
scenario_ring_none(void)
{
    Side a, b, c;

    side_start(&b, side_init, "b");
    side_await(&b);
    side_start(&a, side_init_that_opens_b, "a");
    await_waiting(1);
    side_start(&c, side_init_that_opens_b, "c");
    await_waiting(2);
    side_finish(&b);
    side_finish(&a);
    side_finish(&c);
    CHECK(REGISTRY_OK == open_status("a"));
}

/* ------------------------------------------------------------------ constructors */

void
scenario_constructor_waits_not(void)
{
    char reason[REASON_MAX];
    RegistryFrame frame;
    Library *a, *idle;
    Side b;

    side_start(&b, side_init, "b");
    side_await(&b);
    CHECK(REGISTRY_OK == reserve("a", &a, reason));
    registry_enter_dlopen(&frame, a);
    expect_ring("b", "another thread is initialising b, and cannot be waited for while a is being loaded");
    idle = enter_init("idle");
    expect_ring("b", "another thread is initialising b, and cannot be waited for while a is being loaded");
    finish(idle, 0, "");
    side_finish(&b);
    CHECK(REGISTRY_OK == open_status("b"));
    registry_leave_dlopen(&frame);
    CHECK(REGISTRY_RUN_INIT == registry_initialise(a, reason));
    finish(a, 0, "");
}

static void *
side_open_a_and_b(void *context)
{
    open_fully("a");
    CHECK(REGISTRY_OK == open_status("b"));
    return context;
}

void
scenario_constructor_over(void)
{
    Side b, other, opener;

    side_start(&other, side_loading, "other");
    side_await(&other);
    side_start(&b, side_init, "b");
    side_await(&b);
    side_start(&opener, side_open_a_and_b, "");
    await_waiting(1);
    side_finish(&b);
    side_finish(&opener);
    side_finish(&other);
}

void
scenario_constructor_ring(void)
{
    char reason[REASON_MAX];
    RegistryFrame outer, inner;
    Library *a = enter_init("a");
    Library *b, *c;

    CHECK(REGISTRY_OK == reserve("b", &b, reason));
    registry_enter_dlopen(&outer, b);
    expect_ring("b", "a ring of opens: b -> b");
    CHECK(REGISTRY_OK == reserve("c", &c, reason));
    registry_enter_dlopen(&inner, c);
    expect_ring("b", "a ring of opens: b -> c -> b");
    expect_ring("a", "a ring of opens: a -> b -> c -> a");
    registry_leave_dlopen(&inner);
    CHECK(REGISTRY_RUN_INIT == registry_initialise(c, reason));
    finish(c, 0, "");
    registry_leave_dlopen(&outer);
    registry_abandon(b);
    CHECK(2 == live_entries);
    finish(a, 0, "");
}
