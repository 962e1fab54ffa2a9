/* Entry points of callables: what native code is given to call.
 *
 * There is no executable memory: every entry point is compiled.  One that is given `void *data` finds its callable
 * there, so one entry for each place of that pointer serves all; one without data has a number in a fixed pool. */
#include "entrypoint.h"

#include <pthread.h>
#include <stdatomic.h>

/* The callable's closure is the data that the plugin passes back, in integer register k. */
#define DATA_ENTRY(k)                                                                                            \
    static int64_t data_integer_##k(PARAMETERS)                                                                   \
    {                                                                                                              \
        Registers registers = REGISTERS;                                                                           \
        return callback_run((Closure *)(uintptr_t)i##k, &registers).i;                                               \
    }                                                                                                              \
    static double data_float_##k(PARAMETERS)                                                                      \
    {                                                                                                              \
        Registers registers = REGISTERS;                                                                           \
        return callback_run((Closure *)(uintptr_t)i##k, &registers).d;                                               \
    }

DATA_ENTRY(0) DATA_ENTRY(1) DATA_ENTRY(2) DATA_ENTRY(3) DATA_ENTRY(4) DATA_ENTRY(5)

enum { DATA_ENTRIES = 6 };

static const Entry data_entries[DATA_ENTRIES] = {
    {data_integer_0, data_float_0}, {data_integer_1, data_float_1}, {data_integer_2, data_float_2},
    {data_integer_3, data_float_3}, {data_integer_4, data_float_4}, {data_integer_5, data_float_5},
};

/* Those without data: the pool.  A slot is taken under the mutex and read without it. */
static pthread_mutex_t pool_mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(Closure *) pool[CALLBACK_POOL];

#define POOL_ENTRY(n)                                                                                            \
    static int64_t pool_integer_##n(PARAMETERS)                                                                   \
    {                                                                                                              \
        Registers registers = REGISTERS;                                                                           \
        return callback_run(atomic_load(&pool[0x##n]), &registers).i;                                                      \
    }                                                                                                              \
    static double pool_float_##n(PARAMETERS)                                                                      \
    {                                                                                                              \
        Registers registers = REGISTERS;                                                                           \
        return callback_run(atomic_load(&pool[0x##n]), &registers).d;                                                      \
    }
#define POOL16(x)                                                                                                \
    POOL_ENTRY(x##0) POOL_ENTRY(x##1) POOL_ENTRY(x##2) POOL_ENTRY(x##3) POOL_ENTRY(x##4) POOL_ENTRY(x##5)         \
    POOL_ENTRY(x##6) POOL_ENTRY(x##7) POOL_ENTRY(x##8) POOL_ENTRY(x##9) POOL_ENTRY(x##a) POOL_ENTRY(x##b)         \
    POOL_ENTRY(x##c) POOL_ENTRY(x##d) POOL_ENTRY(x##e) POOL_ENTRY(x##f)
#define POOL_ROW(n) {pool_integer_##n, pool_float_##n}
#define POOL_ROWS16(x)                                                                                           \
    POOL_ROW(x##0), POOL_ROW(x##1), POOL_ROW(x##2), POOL_ROW(x##3), POOL_ROW(x##4), POOL_ROW(x##5),               \
    POOL_ROW(x##6), POOL_ROW(x##7), POOL_ROW(x##8), POOL_ROW(x##9), POOL_ROW(x##a), POOL_ROW(x##b),               \
    POOL_ROW(x##c), POOL_ROW(x##d), POOL_ROW(x##e), POOL_ROW(x##f)

POOL16(0) POOL16(1) POOL16(2) POOL16(3)

static const Entry pool_entries[CALLBACK_POOL] = {POOL_ROWS16(0), POOL_ROWS16(1), POOL_ROWS16(2), POOL_ROWS16(3)};

static int
take_slot(Closure *closure)
{
    int slot = -1;

    pthread_mutex_lock(&pool_mutex);
    for (int i = 0; i < CALLBACK_POOL && slot < 0; i++) {
        if (atomic_load(&pool[i]) == NULL) {
            atomic_store(&pool[i], closure);
            slot = i;
        }
    }
    pthread_mutex_unlock(&pool_mutex);
    return slot;
}

/* ------------------------------------------------------------------ closures */

void *
entry_of(const Signature *signature, const Entry *entry)
{
    bool is_float = signature->result.conversion == CONVERT_SCALAR && signature->result.type->kind == TYPE_FLOAT;

    return is_float ? (void *)(uintptr_t)entry->floating : (void *)(uintptr_t)entry->integer;
}

/* The integer register that the data comes in, or -1: there is none, or it is not in a register. */
static int
data_register(const Signature *signature)
{
    size_t place;

    if (signature->data < 0) {
        return -1;
    }
    place = signature->arguments[signature->data].place / 8;
    return place < DATA_ENTRIES ? (int)place : -1;
}

int
closure_start(Closure *closure, const Where *where, void **function)
{
    const Signature *signature = closure->signature;
    int place = data_register(signature);

    closure->slot = -1;
    if (signature->entry != NULL) {
        *function = signature->entry;
        return 0;
    }
    if (place >= 0) {
        *function = entry_of(signature, &data_entries[place]);
        return 0;
    }
    closure->slot = take_slot(closure);
    if (closure->slot < 0) {
        return convert_fail(PyExc_RuntimeError, where,
                            "all %d places for callbacks without a data pointer are taken", CALLBACK_POOL);
    }
    *function = entry_of(signature, &pool_entries[closure->slot]);
    return 0;
}

void
closure_stop(Closure *closure)
{
    Py_CLEAR(closure->given);
    if (closure->slot >= 0) {
        atomic_store(&pool[closure->slot], NULL);
        closure->slot = -1;
    }
}
