"""A plugin whose objects the tests of objects use; it counts what it releases."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
import support

import plugin

SOURCE = """
#include <plugin.h>
#include <stdlib.h>
PLUGIN("example.com/boxes", "1.0");
PLUGIN_STRUCT(Child, { int (*get)(Child *self); int n; });
PLUGIN_STRUCT(Box, {
    int (*value)(const Box *self);
    Child *(*child)(Box *self);
    int (*twice)(int x);
    int (*maybe)(Box *self) plugin_nullable;
    int (*missing)(Box *self);
    int (*again)(Box *self, plugin_error *error);
    plugin_destructor void (*close)(Box *self);
    Child kid;
    int n;
});
PLUGIN_VAR(int, released) = 0;
static int child_get(Child *self) { return self->n; }
static int box_value(const Box *self) { return self->n; }
static Child *box_child(Box *self) { return &self->kid; }
static int box_twice(int x) { return 2 * x; }
static int box_again(Box *self, plugin_error *error) { plugin_fail(error, 9, "box %d", self->n); return 0; }
static void box_close(Box *self) { released++; free(self); }
PLUGIN_FUNC(plugin_owned Box *, make, (int n))
{
    Box *box = calloc(1, sizeof *box);
    box->value = box_value;
    box->child = box_child;
    box->twice = box_twice;
    box->again = box_again;
    box->close = box_close;
    box->kid.get = child_get;
    box->kid.n = 10 * n;
    box->n = n;
    return box;
}
PLUGIN_FUNC(int, peek, (const Box *box)) { return box->n; }
PLUGIN_FUNC(int, peek_or, (const Box *box plugin_nullable)) { return box ? box->n : -1; }
PLUGIN_FUNC(int, both, (const Box *a, const Box *b)) { return 10 * a->n + b->n; }
PLUGIN_FUNC(Box *, same, (Box *box)) { return box; }
PLUGIN_FUNC(void, take, (Box *box plugin_owned, int fail, plugin_error *error))
{
    box_close(box);
    if (fail) { plugin_fail(error, 3, "taken all the same"); }
}
PLUGIN_FUNC(void, take_two, (Box *a plugin_owned, Box *b plugin_owned)) { box_close(a); box_close(b); }
PLUGIN_FUNC(plugin_owned Box *, fail, (plugin_error *error)) { plugin_fail(error, 4, "made in vain"); return make(1); }
PLUGIN_FUNC(int, make_out, (Box **box plugin_out plugin_owned, int fail, plugin_error *error))
{
    *box = make(6);
    if (fail) { plugin_fail(error, 5, "made in vain"); }
    return 1;
}

PLUGIN_DECLARE(typedef struct Handle Handle;);
struct Handle { int n; };
PLUGIN_FUNC(plugin_owned Handle *, handle_open, (int n)) { Handle *h = malloc(sizeof *h); h->n = n; return h; }
PLUGIN_FUNC(int, handle_get, (Handle *handle)) { return handle->n; }
PLUGIN_FUNC(plugin_destructor void, handle_close, (Handle *handle, plugin_error *error))
{
    if (handle->n < 0) { plugin_fail(error, 8, "cannot be closed well"); }
    released += 100;
    free(handle);
}
"""


@pytest.fixture(scope="module")
def p(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The plugin of boxes."""
    folder = tmp_path_factory.mktemp("objects")
    (folder / "boxes.c").write_text(SOURCE, encoding="utf-8")
    words = ("-shared", "-fPIC", "-I", support.include_directory(), folder / "boxes.c", "-o", folder / "boxes.so")
    support.run(*support.compiler_command(), *words)
    return plugin.open(folder / "boxes.so")


@pytest.fixture
def released(p: Any) -> Callable[[], int]:
    """How many were released since the last time it was asked; a handle counts as 100."""
    gc.collect()  # what a failed test before this one still held
    p.lookup("released").value = 0

    def released() -> int:
        gc.collect()
        count = int(p.lookup("released").value)
        p.lookup("released").value = 0
        return count

    return released
