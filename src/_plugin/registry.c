/* Which libraries this process has opened and what became of their init: once a process, whatever the number
 * of threads and interpreters.  It loads and calls nothing itself. */
#include "native.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NO_GIL = -1,
    BUCKETS = 256,                 /* of either table: a host may have thousands of plugins open */
};

typedef enum { RESERVED, INITIALISING, READY, FAILED } State;

struct Library {
    Library *next;
    Library *next_file, *next_name;  /* in their buckets */
    dev_t device;                  /* of the file */
    ino_t inode;
    const char *name;              /* in `path`, behind it; NULL without a manifest */
    uint32_t name_hash;
    State state;
    size_t openers;                /* opens under way */
    size_t loading;                /* of these, inside dlopen; of use while RESERVED only */
    Library *opening;              /* while INITIALISING: what its init opens now, inside it or waiting for it */
    RegistryFrame init;            /* of the thread that runs init */
    int64_t gil;                   /* whose calls of unmarked functions do not overlap */
    Failure failure;               /* of use once it is FAILED; the message stays for ever, as the library does */
    char path[];
};

/* `mutex` guards the table and its entries, whose file, path and name never change, and whose failure does
 * not once it is FAILED; `changed` tells that an init has ended.  Nothing is called under `mutex` that could
 * wait for the loader or the GIL. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static Library *libraries;         /* owned */
static Library *files[BUCKETS], *names[BUCKETS];      /* the same, by file; by name, those that have one */
static bool forked;                /* in this child of a fork nobody has looked for reservations of threads that are gone */

/* The dlopens and inits that this thread is inside of.  They tell what is its own, so that no thread needs an
 * identity: pthread_t is reused when a thread ends, and this stack survives fork. */
static _Thread_local RegistryFrame *innermost;

/* ------------------------------------------------------------------ frames of the calling thread */

static void
push(RegistryFrame *frame, Library *library)
{
    frame->library = library;
    frame->outer = innermost;
    innermost = frame;
}

/* How many dlopens and inits of `library` this thread is inside of. */
static size_t
count_mine(const Library *library)
{
    size_t count = 0;

    for (const RegistryFrame *frame = innermost; frame != NULL; frame = frame->outer) {
        count += frame->library == library;
    }
    return count;
}

/* The innermost init (or else dlopen) that this thread is inside of, or NULL. */
static Library *
find_mine(bool init)
{
    for (const RegistryFrame *frame = innermost; frame != NULL; frame = frame->outer) {
        if (init == (frame == &frame->library->init)) {
            return frame->library;
        }
    }
    return NULL;
}

/* Let others see what the init that this thread is in, if any, is opening; NULL when that is over. */
static void
show_opening(Library *library)
{
    Library *opener = find_mine(true);

    if (opener != NULL) {
        opener->opening = library;
    }
}

/* ------------------------------------------------------------------ fork */

static void
before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

static void
after_fork_in_parent(void)
{
    pthread_mutex_unlock(&mutex);
}

#define BY_FORK(doing) "interrupted: the process forked while another thread was " doing " it"

/* It runs where no memory may be asked for: another thread may have had malloc's lock. */
static void
interrupt(Library *library)
{
    library->failure.message = library->state == RESERVED ? BY_FORK("loading") : BY_FORK("initialising");
    library->failure.code = REGISTRY_INTERRUPTED;
    library->state = FAILED;
    library->opening = NULL;
}

/* The other threads are gone, and what they had under way will never end.  A library that one of them was
 * loading may be mapped with half of its constructors run; the loader would hand it out as it is. */
static void
after_fork_in_child(void)
{
    for (Library *library = libraries; library != NULL; library = library->next) {
        size_t mine = count_mine(library);
        bool loading = library->state == RESERVED && library->loading > 0;

        if (mine == 0 && (loading || library->state == INITIALISING)) {
            interrupt(library);
        }
        library->openers = library->loading = mine;
    }
    forked = true;
    /* Made anew: the old one counts waiters that are gone, and glibc waits for them to leave. */
    changed = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    pthread_mutex_unlock(&mutex);
}

static int fork_error;             /* of pthread_atfork; written once */

static void
watch_forks(void)
{
    fork_error = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* ------------------------------------------------------------------ the table */

static Library **
files_of(dev_t device, ino_t inode)
{
    uint64_t hash = ((uint64_t)inode ^ (uint64_t)device << 32) * 0x9e3779b97f4a7c15u;

    return &files[(hash >> 32) % BUCKETS];
}

static uint32_t
hash_name(const char *name)
{
    uint32_t hash = 2166136261u;   /* FNV-1a */

    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return hash;
}

static Library *
find_file(const FileIdentity *identity)
{
    Library *library = *files_of(identity->device, identity->inode);

    while (library != NULL && (library->device != identity->device || library->inode != identity->inode)) {
        library = library->next_file;
    }
    return library;
}

static const Library *
find_name(const char *name)
{
    uint32_t hash = hash_name(name);
    const Library *library = names[hash % BUCKETS];

    while (library != NULL && (library->name_hash != hash || strcmp(library->name, name) != 0)) {
        library = library->next_name;
    }
    return library;
}

static void
leave_tables(const Library *library)
{
    Library **link;

    for (link = files_of(library->device, library->inode); *link != library; link = &(*link)->next_file) {
    }
    *link = library->next_file;
    if (library->name != NULL) {
        for (link = &names[library->name_hash % BUCKETS]; *link != library; link = &(*link)->next_name) {
        }
        *link = library->next_name;
    }
}

/* Free reservations that nobody has any more. */
static void
sweep(void)
{
    Library **link = &libraries;

    while (*link != NULL) {
        Library *library = *link;

        if (library->state == RESERVED && library->openers == 0) {
            leave_tables(library);
            *link = library->next;
            free(library);
        }
        else {
            link = &library->next;
        }
    }
}

/* Put a library into the table.  Returns NULL without memory. */
static Library *
add(const FileIdentity *identity, const char *path, const char *name)
{
    size_t path_size = strlen(path) + 1;
    size_t name_size = name == NULL ? 0 : strlen(name) + 1;
    Library *library = calloc(1, sizeof *library + path_size + name_size), **bucket;

    if (library == NULL) {
        return NULL;
    }
    library->device = identity->device;
    library->inode = identity->inode;
    memcpy(library->path, path, path_size);
    bucket = files_of(library->device, library->inode);
    library->next_file = *bucket;
    *bucket = library;
    if (name != NULL) {
        library->name = memcpy(library->path + path_size, name, name_size);
        library->name_hash = hash_name(name);
        bucket = &names[library->name_hash % BUCKETS];
        library->next_name = *bucket;
        *bucket = library;
    }
    library->gil = NO_GIL;
    library->next = libraries;
    libraries = library;
    return library;
}

static RegistryStatus
reserve(const FileIdentity *identity, const char *path, const char *name, Library **result,
        char reason[REASON_MAX])
{
    Library *library = find_file(identity);
    const Library *other = library == NULL && name != NULL ? find_name(name) : NULL;

    if (other != NULL) {
        snprintf(reason, REASON_MAX, "%s", other->path);
        return REGISTRY_NAME_TAKEN;
    }
    if (library == NULL && (library = add(identity, path, name)) == NULL) {
        return REGISTRY_MEMORY;
    }
    *result = library;
    if (library->state == FAILED) {
        return REGISTRY_FAILED_BEFORE;
    }
    library->openers++;
    return REGISTRY_OK;
}

RegistryStatus
registry_reserve(const FileIdentity *identity, const char *path, const char *name, Library **library,
                 char reason[REASON_MAX])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    RegistryStatus status;

    *library = NULL;
    pthread_once(&once, watch_forks);
    if (fork_error != 0) {
        return REGISTRY_MEMORY;
    }
    pthread_mutex_lock(&mutex);
    if (forked) {
        forked = false;
        sweep();
    }
    status = reserve(identity, path, name, library, reason);
    pthread_mutex_unlock(&mutex);
    return status;
}

bool
registry_hold(Library *library, int64_t gil)
{
    bool held;

    pthread_mutex_lock(&mutex);
    library->gil = library->gil == NO_GIL ? gil : library->gil;
    held = library->gil == gil;
    pthread_mutex_unlock(&mutex);
    return held;
}

void
registry_let_go(int64_t gil)
{
    pthread_mutex_lock(&mutex);
    for (Library *library = libraries; gil > 0 && library != NULL; library = library->next) {
        library->gil = library->gil == gil ? NO_GIL : library->gil;
    }
    pthread_mutex_unlock(&mutex);
}

void
registry_abandon(Library *library)
{
    pthread_mutex_lock(&mutex);
    library->openers--;
    sweep();
    pthread_mutex_unlock(&mutex);
}

void
registry_enter_dlopen(RegistryFrame *frame, Library *library)
{
    pthread_mutex_lock(&mutex);
    library->loading++;
    push(frame, library);
    pthread_mutex_unlock(&mutex);
}

void
registry_leave_dlopen(RegistryFrame *frame)
{
    pthread_mutex_lock(&mutex);
    frame->library->loading--;
    innermost = frame->outer;
    pthread_mutex_unlock(&mutex);
}

/* ------------------------------------------------------------------ rings */

static const char *
label(const Library *library)
{
    return library->name != NULL ? library->name : library->path;
}

static void
append(char reason[REASON_MAX], const Library *library, const char *after)
{
    size_t used = strlen(reason);

    snprintf(reason + used, REASON_MAX - used, "%s%s", label(library), after);
}

/* This thread's frames from that of `first` inwards; the stack begins at the other end. */
static void
append_frames(char reason[REASON_MAX], const RegistryFrame *frame, const Library *first)
{
    if (frame->library != first) {
        append_frames(reason, frame->outer, first);
    }
    append(reason, frame->library, " -> ");
}

/* The first library of this thread that a wait for `library` would end up waiting for, or NULL.  The search
 * ends, since no ring is ever closed. */
static const Library *
find_ring(const Library *library)
{
    while (library != NULL && count_mine(library) == 0) {
        library = library->opening;
    }
    return library;
}

/* Name the ring in order: from `mine` through this thread to `library`, and through the other threads back. */
static void
describe_ring(char reason[REASON_MAX], const Library *mine, const Library *library)
{
    snprintf(reason, REASON_MAX, "a ring of opens: ");
    append_frames(reason, innermost, mine);
    for (; library != mine; library = library->opening) {
        append(reason, library, " -> ");
    }
    append(reason, mine, "");
}

/* Whether a wait for `library` could never end; `reason` then says why. */
static bool
is_deadlock(const Library *library, char reason[REASON_MAX])
{
    const Library *mine = find_ring(library);
    const Library *loaded = find_mine(false);

    if (mine != NULL) {
        describe_ring(reason, mine, library);
        return true;
    }
    if (library->state == INITIALISING && loaded != NULL) {
        snprintf(reason, REASON_MAX, "another thread is initialising %s, and cannot be waited for while %s is "
                 "being loaded", label(library), label(loaded));
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------ init */

static void
wait_for(Library *library)
{
    show_opening(library);
    while (library->state == INITIALISING) {
        pthread_cond_wait(&changed, &mutex);
    }
    show_opening(NULL);
}

/* The check for a ring and the wait, or the begin of init, are under one hold of the mutex: of the threads
 * that close a ring, only the last finds it. */
static RegistryStatus
initialise(Library *library, char reason[REASON_MAX])
{
    if (is_deadlock(library, reason)) {
        return REGISTRY_RING;
    }
    if (library->state == RESERVED) {
        library->state = INITIALISING;
        show_opening(library);
        push(&library->init, library);
        return REGISTRY_RUN_INIT;
    }
    wait_for(library);
    return library->state == READY ? REGISTRY_OK : REGISTRY_FAILED;
}

RegistryStatus
registry_initialise(Library *library, char reason[REASON_MAX])
{
    RegistryStatus status;

    pthread_mutex_lock(&mutex);
    status = initialise(library, reason);
    if (status != REGISTRY_RUN_INIT) {
        library->openers--;
    }
    pthread_mutex_unlock(&mutex);
    return status;
}

/* Few inits fail: only then there is room for the message. */
static const char *
keep_message(const NativeError *error)
{
    const char *end = memchr(error->message, '\0', sizeof error->message - 1);
    size_t size = end != NULL ? (size_t)(end - error->message) : sizeof error->message - 1;
    char *kept = calloc(1, size + 1);

    return kept != NULL ? memcpy(kept, error->message, size) : "memory was too short to keep what its init said";
}

void
registry_initialised(Library *library, const NativeError *error)
{
    const char *message = error->code != 0 ? keep_message(error) : "";

    pthread_mutex_lock(&mutex);
    library->failure = (Failure){error->code, message};
    library->state = error->code == 0 ? READY : FAILED;
    library->openers--;
    innermost = library->init.outer;
    show_opening(NULL);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

Failure
registry_failure(const Library *library)
{
    return library->failure;
}
