/* A large manifest of a library that is to be loaded.  A copy of it would cost most of the time of the open, as each new
 * page of memory does.  So it is read piece by piece, checked, and let go; what stays is where each record stands, found
 * by its name, and a hash of each block.  A block that is wanted later is copied from where the loader has mapped it
 * (before the load, read from the file again), and believed if it has that hash: what a type is taken from is what was
 * checked, whatever became of the file. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "ledger.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __ELF__

enum { MAPPED_SEEN = 4 };          /* of the rarer records, whose blocks are looked at when the library is mapped */

/* Guards every ledger that an opener has been given. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

static void
lock_it(void)
{
    pthread_mutex_lock(&mutex);
}

static void
watch_forks(void)
{
    pthread_atfork(lock_it, unlock, unlock);
}

void
ledger_watch_forks(void)
{
    pthread_once(&once, watch_forks);
}

static void
lock(void)
{
    ledger_watch_forks();
    lock_it();
}

/* ------------------------------------------------------------------ proofs */

const Stretch *
ledger_stretch(const Ledger *ledger, uint64_t at)
{
    size_t i = ledger->stretch_count;

    while (i > 1 && ledger->stretches[i - 1].at > at) {
        i--;
    }
    return &ledger->stretches[i - 1];
}

static bool
pread_all(int fd, uint64_t offset, unsigned char *to, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t count = pread(fd, to + done, size - done, (off_t)(offset + done));

        if (count == 0 || (count < 0 && errno != EINTR)) {
            return false;
        }
        done += count > 0 ? (size_t)count : 0;
    }
    return true;
}

/* Fill in one block, unless that was done. */
static bool
prove(Ledger *ledger, size_t block)
{
    uint64_t at = (uint64_t)block * BLOCK;
    const Stretch *stretch = ledger_stretch(ledger, at);
    uint64_t skipped = at - stretch->at, left = stretch->size - skipped;
    size_t size = left < BLOCK ? (size_t)left : BLOCK;
    unsigned char *to = ledger->bytes + at;

    if (ledger->states[block] != UNREAD) {
        return ledger->states[block] == PROVEN;
    }
    if (ledger->base != NULL) {
        memcpy(to, ledger->base + stretch->address + skipped, size);
    }
    else if (ledger->fd < 0 || !pread_all(ledger->fd, stretch->offset + skipped, to, size)) {
        return false;
    }
    ledger->states[block] = ledger_proof(to, size) == ledger->proofs[block] ? PROVEN : WRONG;
    return ledger->states[block] == PROVEN;
}

static bool
prove_range(Ledger *ledger, uint64_t at, uint64_t size)
{
    if (ledger->bytes == NULL) {
        ledger->bytes = malloc(ledger->size);
    }
    if (ledger->bytes == NULL || at > ledger->size || size > ledger->size - at) {
        return false;
    }
    for (uint64_t block = at / BLOCK; block * BLOCK < at + size; block++) {
        if (!prove(ledger, (size_t)block)) {
            return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------ places */

/* The record at that place, which stood the check before. */
static bool
read_place(Ledger *ledger, uint32_t place, Record *record)
{
    uint64_t at = ledger_at(place);
    uint32_t desc_size;

    if (!prove_range(ledger, at, NOTE_OWN)) {
        return false;
    }
    memcpy(&desc_size, ledger->bytes + at + 4, sizeof desc_size);
    return prove_range(ledger, at, NOTE_OWN + (uint64_t)desc_size)
           && note_again(ledger->bytes + at, NOTE_OWN + (size_t)desc_size, record);
}

/* ------------------------------------------------------------------ finding */

static bool
find(Ledger *ledger, RecordKind kind, const char *name, size_t size, Record *record)
{
    uint64_t hash = note_hash(kind, name, size);

    for (size_t slot = ledger_bucket(ledger, hash);; slot = (slot + 1) & (ledger->slots - 1)) {
        uint32_t entry = ledger->index[slot];

        if (entry == 0) {
            return false;
        }
        if (((entry ^ (uint32_t)hash) & ~ledger->place_mask) != 0) {
            continue;
        }
        if (!read_place(ledger, entry & ledger->place_mask, record)) {
            *record = (Record){kind, 0, 0, "", LOST};
            return true;
        }
        if (note_has_key(record, kind, name, size)) {
            return true;
        }
    }
}

bool
ledger_find(const FileFacts *facts, RecordKind kind, const char *name, size_t size, Record *record)
{
    bool found;

    if (memchr(name, '\0', size) != NULL) {
        return false;
    }
    lock();
    found = find(facts->ledger, kind, name, size, record);
    unlock();
    return found;
}

/* ------------------------------------------------------------------ all of them */

static int
compare_places(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;

    return (first > second) - (first < second);
}

/* Read the records at these places; what is lost shows as one that says so. */
static Record *
read_places(Ledger *ledger, const uint32_t *places, size_t count)
{
    Record *records = malloc((count + 1) * sizeof *records);

    for (size_t i = 0; records != NULL && i < count; i++) {
        if (!read_place(ledger, places[i], &records[i])) {
            records[i] = (Record){RECORD_FUNC, 0, 0, LOST, LOST};
        }
    }
    return records;
}

static void
read_all(Ledger *ledger)
{
    uint32_t *places = malloc((ledger->slots + 1) * sizeof *places);
    size_t count = 0;

    for (size_t i = 0; places != NULL && i < ledger->slots; i++) {
        if (ledger->index[i] != 0) {
            places[count++] = ledger->index[i] & ledger->place_mask;
        }
    }
    if (places != NULL) {
        qsort(places, count, sizeof *places, compare_places);
        ledger->records = read_places(ledger, places, count);
        ledger->known = ledger->records != NULL ? count : 0;
    }
    free(places);
}

Records
ledger_records(const FileFacts *facts, bool rare)
{
    Ledger *ledger = facts->ledger;
    Records records;

    lock();
    if (rare && ledger->rare_records == NULL) {
        ledger->rare_records = read_places(ledger, ledger->rare, ledger->rare_count);
        ledger->rare_known = ledger->rare_records != NULL ? ledger->rare_count : 0;
    }
    else if (!rare && ledger->records == NULL) {
        read_all(ledger);
    }
    records = rare ? (Records){ledger->rare_records, ledger->rare_known} : (Records){ledger->records, ledger->known};
    unlock();
    return records;
}

/* ------------------------------------------------------------------ mapped, and gone */

/* The place of a byte of the file in the ledger's space. */
static uint64_t
at_offset(const Ledger *ledger, uint64_t offset)
{
    for (size_t i = 0; i < ledger->stretch_count; i++) {
        const Stretch *stretch = &ledger->stretches[i];

        if (offset - stretch->offset < stretch->size) {
            return stretch->at + (offset - stretch->offset);
        }
    }
    return UINT64_MAX;
}

/* Whether the block is mapped as it was read. */
static bool
is_mapped(const Ledger *ledger, uint64_t block)
{
    uint64_t at = block * BLOCK;
    const Stretch *stretch = ledger_stretch(ledger, at);
    uint64_t skipped = at - stretch->at, left = stretch->size - skipped;

    return ledger_proof(ledger->base + stretch->address + skipped, left < BLOCK ? (size_t)left : BLOCK) == ledger->proofs[block];
}

/* What was used before, when the file was asked, must be there as well; of the rest, what names the file. */
bool
ledger_map(FileFacts *facts, const unsigned char *base)
{
    Ledger *ledger = facts->ledger;
    const Blank *build_id = &facts->build_id_place;
    bool same = true;

    lock();
    ledger->base = base;
    close(ledger->fd);
    ledger->fd = -1;
    for (size_t i = 0; i < ledger->rare_count && i < MAPPED_SEEN; i++) {
        same = same && is_mapped(ledger, ledger_at(ledger->rare[i]) / BLOCK);
    }
    for (size_t block = 0; block < ledger->size / BLOCK; block++) {
        same = same && (ledger->states[block] == UNREAD || is_mapped(ledger, block));
    }
    if (same && build_id->size > 0) {
        same = is_mapped(ledger, at_offset(ledger, build_id->at) / BLOCK);
    }
    unlock();
    return same;
}

void
ledger_keep(Ledger *ledger, int *fd)
{
    ledger->fd = *fd;
    *fd = -1;
}

void
ledger_free(Ledger *ledger)
{
    if (ledger == NULL) {
        return;
    }
    if (ledger->fd >= 0) {
        close(ledger->fd);
    }
    free((void *)(uintptr_t)ledger->header.name);
    free((void *)(uintptr_t)ledger->header.text);
    free(ledger->stretches);
    free(ledger->bytes);
    free(ledger->states);
    free(ledger->proofs);
    free(ledger->index);
    free(ledger->rare);
    free(ledger->rare_records);
    free(ledger->records);
    free(ledger);
}

#else

void
ledger_watch_forks(void)
{
}

#endif /* __ELF__ */
