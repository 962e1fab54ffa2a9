/* Objects of a plugin in use: calls and views on one side, their release on the other. */
#include "internal.h"

#include <limits.h>
#include <time.h>

/* ------------------------------------------------------------------ what can be used */

/* What a borrowed object was borrowed from. */
static HandleObject *
next_owner(const HandleObject *handle)
{
    return SHARED_LOAD(handle->owned) ? NULL : handle->parent;
}

const HandleObject *
handle_closed(const HandleObject *handle)
{
    for (; handle != NULL; handle = next_owner(handle)) {
        if (SHARED_LOAD(handle->address) == NULL) {
            return handle;
        }
    }
    return NULL;
}

static int
raise_closed(HandleObject *handle, const HandleObject *closed, const Where *where)
{
    char spelling[256], owner[256];

    handle_spell(handle, spelling, sizeof spelling);
    handle_spell(closed, owner, sizeof owner);
    raise_fact(state_of(Py_TYPE(handle)), "closed", "(szss)", where->owner, where->name, spelling,
               closed == handle ? "" : owner);
    return -1;
}

int
handle_check(HandleObject *handle, const Where *where)
{
    const HandleObject *closed = handle_closed(handle);

    return closed == NULL ? 0 : raise_closed(handle, closed, where);
}

/* ------------------------------------------------------------------ use and release */

/* Added to the uses of an object that is being released, or was: nobody begins to use it from then on, so who waits for
 * those that are under way is not kept waiting by others. */
enum { CLAIMED = INT_MIN / 2 };

QUICK_LOCAL int handle_pins;

static bool
is_taken(const HandleObject *handle, HandleObject *const *taken, int count)
{
    for (int i = 0; i < count; i++) {
        if (taken[i] == handle) {
            return true;
        }
    }
    return false;
}

/* One more use of an object that nobody has claimed. */
static bool
enter(HandleObject *handle)
{
    int uses;

    do {
        uses = SHARED_LOAD(handle->uses);
    } while (uses >= 0 && !shared_replace(&handle->uses, uses, uses + 1));
    return uses >= 0 && (SHARED_LOAD(handle->address) != NULL || (SHARED_ADD(handle->uses, -1), false));
}

/* Up to `end` on the way to the owner, or to what the call takes. */
static void
leave(HandleObject *handle, const HandleObject *end, HandleObject *const *taken, int count)
{
    while (handle != end && handle != NULL && !is_taken(handle, taken, count)) {
        HandleObject *next = next_owner(handle);   /* before somebody releases it */

        SHARED_ADD(handle->uses, -1);
        handle = next;
    }
}

int
handle_pin(HandleObject *handle, HandleObject *const *taken, int count, const Where *where)
{
    HandleObject *at;

    for (at = handle; at != NULL && !is_taken(at, taken, count); at = next_owner(at)) {
        if (!enter(at)) {
            leave(handle, at, taken, count);
            return raise_closed(handle, at, where);
        }
    }
    handle_pins++;
    return 0;
}

void
handle_unpin(HandleObject *handle, HandleObject *const *taken, int count)
{
    leave(handle, NULL, taken, count);
    handle_pins--;
}

int
handle_read(HandleObject *handle, size_t offset, void **pointer, const Where *where)
{
#ifdef Py_GIL_DISABLED
    if (handle_pin(handle, NULL, 0, where) < 0) {
        return -1;
    }
    word_copy(pointer, (const char *)handle->address + offset, sizeof *pointer);
    handle_unpin(handle, NULL, 0);
#else
    if (handle_check(handle, where) < 0) {
        return -1;
    }
    memcpy(pointer, (const char *)handle->address + offset, sizeof *pointer);
#endif
    return 0;
}

int
handle_lend(HandleObject *handle, const Where *where)
{
    if (handle_pin(handle, NULL, 0, where) < 0) {
        return -1;
    }
    handle_pins--;                        /* it does not end with this thread's call */
    for (; handle != NULL; handle = next_owner(handle)) {
        SHARED_ADD(handle->views, 1);
    }
    return 0;
}

void
handle_take_back(HandleObject *handle)
{
    while (handle != NULL) {
        HandleObject *next = next_owner(handle);

        SHARED_ADD(handle->views, -1);
        SHARED_ADD(handle->uses, -1);
        handle = next;
    }
}

/* A moment without the interpreter.  -1 with an exception if a signal came. */
static int
wait_a_moment(int round)
{
    struct timespec pause = {0, round < 50 ? 20000 : 1000000};

    Py_BEGIN_ALLOW_THREADS
    nanosleep(&pause, NULL);
    Py_END_ALLOW_THREADS
    return PyErr_CheckSignals();
}

/* Whether the thread that uses an object is gone: the process forked under its call, or the interpreter ends, which
 * leaves it behind.  Calls unpin what they used with the interpreter, so that nobody else has any to do so. */
static bool
is_left_alone(void)
{
    PyThreadState *mine = PyThreadState_Get();

    return is_finalizing() ||
           (PyInterpreterState_ThreadHead(PyThreadState_GetInterpreter(mine)) == mine && PyThreadState_Next(mine) == NULL);
}

/* Those who use it now end: wait for them.  On failure it is as it was. */
static int
wait_for_uses(HandleObject *handle, const Where *where)
{
    for (int round = 0; SHARED_LOAD(handle->uses) != CLAIMED; round++) {
        bool viewed = SHARED_LOAD(handle->views) > 0;

        if (viewed || handle_pins > 0) {
            SHARED_ADD(handle->uses, -CLAIMED);
            return convert_fail(PyExc_ValueError, where, "the object is in use by a %s",
                                viewed ? "view of its memory" : "call that is under way");
        }
        if (is_left_alone()) {
            SHARED_ADD(handle->uses, -CLAIMED);
            return convert_fail(PyExc_ValueError, where, "the object is in use by a call that will never end: its thread is gone");
        }
        if (wait_a_moment(round) < 0) {
            SHARED_ADD(handle->uses, -CLAIMED);
            return -1;
        }
    }
    return 0;
}

int
handle_claim(HandleObject *handle, const Where *where)
{
    int uses;

    do {
        uses = SHARED_LOAD(handle->uses);
        if (uses < 0) {
            return raise_closed(handle, handle, where);
        }
    } while (!shared_replace(&handle->uses, uses, uses + CLAIMED));
    return wait_for_uses(handle, where);
}

void
handle_unclaim(HandleObject *handle)
{
    if (handle->address != NULL) {
        SHARED_STORE(handle->uses, 0);
    }
}
