/* Contracts of uses.c: who uses an object, and who waits to release it.  A part of internal.h, which includes it.
 *
 * An object's `uses` are counted up by calls and views, or it is claimed, by one thread alone, which releases it; so no
 * call gets what is being released, and nothing is released twice.  What is borrowed uses what it was borrowed from. */
#ifndef PLUGIN_USES_H
#define PLUGIN_USES_H

/* The first object on the way to its owner that was released, or NULL: what is borrowed is as good as its parent. */
const HandleObject *handle_closed(const HandleObject *handle);

/* A call that is given an object begins to use it, and ends: neither it nor what it was borrowed from is released
 * meanwhile, but for those that the very call takes, which it claims first.  Sets ClosedError. */
int handle_pin(HandleObject *handle, HandleObject *const *taken, int count, const Where *where);
void handle_unpin(HandleObject *handle, HandleObject *const *taken, int count);

/* The pointer at `offset` bytes of its memory.  Sets ClosedError. */
int handle_read(HandleObject *handle, size_t offset, void **pointer, const Where *where);

/* As handle_pin and handle_unpin, for a view of its memory. */
int handle_lend(HandleObject *handle, const Where *where);
void handle_take_back(HandleObject *handle);

/* Begin to release an object: from here on nobody else can use it.  Waits for calls of other threads; ValueError where
 * waiting could last for ever: somebody looks at its memory, or this thread is inside a call of some object.
 * handle_unclaim ends it for one that was not released. */
int handle_claim(HandleObject *handle, const Where *where);
void handle_unclaim(HandleObject *handle);

/* Whether it can be used: not released, nor what it was borrowed from.  Sets ClosedError. */
int handle_check(HandleObject *handle, const Where *where);

/* Calls of this thread that use an object, one inside the other.  One that waited for others could wait for itself, or in
 * a ring. */
#ifdef __GLIBC__
#define QUICK_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))       /* others load no library with it */
#else
#define QUICK_LOCAL _Thread_local
#endif
extern QUICK_LOCAL int handle_pins;

/* Whether it can be used, without a look at what it may have been borrowed from. */
static inline bool
handle_is_open(const HandleObject *handle)
{
    return SHARED_LOAD(handle->address) != NULL && (SHARED_LOAD(handle->owned) || handle->parent == NULL);
}

/* Whether a call that keeps the GIL must pin what it is given: nobody else runs meanwhile unless native code calls
 * Python. */
static inline bool
handle_must_pin(void)
{
#ifdef Py_GIL_DISABLED
    return true;
#else
    return native_calls_python();
#endif
}

/* Begin to use an object that was found open a moment ago, if nobody else wants it now; pin it if `must`.
 * handle_unpin_quick ends that. */
static inline bool
handle_pin_quick(HandleObject *handle, bool must)
{
    int uses = SHARED_LOAD(handle->uses);

    if (uses < 0) {
        return false;
    }
    if (!must) {
        return true;
    }
    if (!shared_replace(&handle->uses, uses, uses + 1)) {
        return false;
    }
#ifdef Py_GIL_DISABLED
    if (SHARED_LOAD(handle->address) == NULL) {
        SHARED_ADD(handle->uses, -1);
        return false;
    }
#endif
    handle_pins++;
    return true;
}

/* Whether what Python code did since, in the conversion of another argument, leaves it so. */
static inline bool
handle_is_still(const HandleObject *handle, bool pinned)
{
    return pinned || (!handle_must_pin() && handle->uses >= 0 && handle_is_open(handle));
}

static inline void
handle_unpin_quick(HandleObject *handle, bool pinned)
{
    if (pinned) {
        SHARED_ADD(handle->uses, -1);
        handle_pins--;
    }
}

#endif
