/* The records and facts of a file for Python's `inspect`, read without loading it. */
#include "internal.h"

typedef struct {
    PyObject *needed, *symbols;    /* lists */
} Exports;

static PyObject *
decode(const char *text)
{
    return text != NULL ? PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "surrogateescape") : Py_NewRef(Py_None);
}

/* Visitors stop with 1 when an exception is set. */
static int
append(PyObject *list, PyObject *item)
{
    int failed = item == NULL || PyList_Append(list, item) < 0;

    Py_XDECREF(item);
    return failed;
}

static int
add_needed(void *context, const char *name)
{
    return append(((Exports *)context)->needed, decode(name));
}

static int
add_symbol(void *context, const char *name, const SymbolFacts *facts)
{
    static const char *const kinds[] = {
        [SYMBOL_UNKNOWN] = "other", [SYMBOL_FUNCTION] = "function", [SYMBOL_OBJECT] = "object",
        [SYMBOL_THREAD_LOCAL] = "tls", [SYMBOL_OTHER] = "other",
    };

    return append(((Exports *)context)->symbols,
                  Py_BuildValue("(Nsn)", decode(name), kinds[facts->kind], (Py_ssize_t)facts->size));
}

static PyObject *
list_records(const FileFacts *facts)
{
    static const char *const kinds[] = {"header", "func", "var", "struct", "enum", "declare", "doc", "init", "digest"};
    Records records = elf_records(facts, false);
    PyObject *list = PyList_New(0);

    for (size_t i = 0; i < records.count && list != NULL; i++) {
        const Record *record = &records.items[i];

        if (record->kind < RECORD_FUNC || record->kind > RECORD_DIGEST) {
            continue;
        }
        if (append(list, Py_BuildValue("(sNNII)", kinds[record->kind - RECORD_HEADER], decode(record->name),
                                       decode(record->text), record->size, record->align))) {
            Py_CLEAR(list);
        }
    }
    return list;
}

static PyObject *
build_facts(const FileFacts *facts, const Exports *exports)
{
    const Record *header = facts->header;
    PyObject *abi = header != NULL ? Py_BuildValue("(II)", header->size >> 16, header->size & (HEADER_STAMPED - 1)) : Py_NewRef(Py_None);

    PyObject *digest = facts->digest_state == DIGEST_STAMPED ? PyUnicode_FromFormat("%08x", facts->digest) : Py_NewRef(Py_None);

    return Py_BuildValue("(NNNNy#NNOO)", decode(header != NULL ? header->name : NULL),
                         decode(header != NULL ? header->text : NULL), abi, decode(facts->soname), facts->build_id,
                         (Py_ssize_t)facts->build_id_size, digest, list_records(facts), exports->needed,
                         exports->symbols);
}

PyObject *
facts_of_file(PyObject *module, PyObject *arguments)
{
    ModuleState *state = PyModule_GetState(module);
    Exports exports = {PyList_New(0), PyList_New(0)};
    FileFacts facts = {0};
    PyObject *shown, *result = NULL;
    const char *path;
    char reason[REASON_MAX] = "";
    FileStatus status;

    if (exports.needed == NULL || exports.symbols == NULL || !PyArg_ParseTuple(arguments, "yO", &path, &shown)) {
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    status = elf_read(path, &facts, reason);
    Py_END_ALLOW_THREADS
    if (status == FILE_OK && elf_exports(path, add_needed, add_symbol, &exports, reason) < 0) {
        status = FILE_INVALID;
    }
    if (status != FILE_OK) {
        file_refused(state, status, facts.error, shown, reason);
    } else if (!PyErr_Occurred()) {
        result = build_facts(&facts, &exports);
    }
done:
    elf_free(&facts);
    Py_XDECREF(exports.needed);
    Py_XDECREF(exports.symbols);
    return result;
}

static PyObject *
list_places(const uint64_t *places, size_t count)
{
    PyObject *list = PyList_New(0);

    for (size_t i = 0; i < count && list != NULL; i++) {
        if (append(list, PyLong_FromUnsignedLongLong(places[i]))) {
            Py_CLEAR(list);
        }
    }
    return list;
}

PyObject *
facts_digest(PyObject *module, PyObject *arguments)
{
    ModuleState *state = PyModule_GetState(module);
    char reason[REASON_MAX] = "";
    const char *path;
    PyObject *shown;
    DigestPlan plan;
    FileStatus status;
    int error;

    if (!PyArg_ParseTuple(arguments, "yO", &path, &shown)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    status = digest_plan(path, &plan, &error, reason);
    Py_END_ALLOW_THREADS
    if (status != FILE_OK) {
        return file_refused(state, status, error, shown, reason);
    }
    return Py_BuildValue("(OOININ)", plan.has_manifest ? Py_True : Py_False,
                         plan.state == DIGEST_STAMPED && plan.is_told ? Py_True : Py_False, plan.value,
                         list_places(plan.places, plan.place_count), plan.header,
                         list_places(plan.headers, plan.header_count));
}
