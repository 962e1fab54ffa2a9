"""Functions of one plugin that differ in their names alone: what they share, and what each has of its own."""

import inspect
import pickle
import pydoc
import sys
import sysconfig

import pytest
from hosting import manifest, run_host

import plugin

SOURCE = """
PLUGIN_FUNC(int64_t, first, (int64_t value, int64_t in)) { return value + in; }
PLUGIN_FUNC(int64_t, second, (int64_t value, int64_t in)) { return value - in; }
PLUGIN_DOC(second, "The difference.");
PLUGIN_FUNC(int, fail_one, (plugin_error *error)) { plugin_fail(error, 1, "no"); return 0; }
PLUGIN_FUNC(int, fail_two, (plugin_error *error)) { plugin_fail(error, 2, "no"); return 0; }
typedef struct Box Box; struct Box { int x; };
PLUGIN_FUNC(Box *, box_one, (void)) { static Box box = {1}; return &box; }
PLUGIN_FUNC(Box *, box_two, (void)) { static Box box = {2}; return &box; }
PLUGIN_FUNC(Box *, box_three, (void)) { static Box box = {3}; return &box; }
"""
MEASURE = """
import ctypes, gc, sys
import plugin

class Info(ctypes.Structure):
    _fields_ = [("others", ctypes.c_size_t * 7), ("used", ctypes.c_size_t), ("free", ctypes.c_size_t * 2)]

measure = ctypes.CDLL(None).mallinfo2
measure.restype = Info
p = plugin.open(sys.argv[1])
p.lookup("function_0")
names = [f"function_{i}" for i in range(1, 1000)]
gc.collect()
before = measure().used
for name in names:
    p.lookup(name)
gc.collect()
print((measure().used - before) // len(names))
"""


@pytest.fixture
def p(build):
    """A plugin with functions that are alike."""
    return plugin.open(build(manifest(SOURCE)))


class TestOwn:
    """What each has of its own."""

    def test_calls(self, p):
        """Each calls its own function, and is one object."""
        assert (7, 3) == (p.lookup("first")(5, 2), p.lookup("second")(5, in_=2))
        assert p.lookup("second") is p.lookup("second") is not p.lookup("first")
        assert p.lookup("second").__self__ is p.symbols["second"]

    def test_symbol_before(self, p):
        """The object is the same whether the symbol or the function was asked for first."""
        symbol = p.symbols["first"]

        assert p.lookup("first").__self__ is symbol is p.symbols["first"]

    def test_description(self, p):
        """Names, documentation, signature, declaration and repr are its own."""
        for name, symbol in [(name, p.symbols[name]) for name in ("first", "second")]:
            use = p.lookup(name)
            text = f"int64_t {name}(int64_t value, int64_t in)"
            assert (name, name) == (use.__name__, symbol.__name__)
            assert "(value, in_)" == use.__text_signature__ == str(inspect.signature(use))
            assert use.__doc__.startswith(text)
            assert text == symbol.declaration
            assert name in repr(symbol)
            assert text in pydoc.render_doc(use)
        assert "difference" in p.lookup("second").__doc__
        assert "difference" not in p.lookup("first").__doc__

    def test_errors(self, p):
        """A failure names the function that failed."""
        for name in ("fail_one", "fail_two"):
            with pytest.raises(plugin.CallError, match=name):
                p.lookup(name)()

    def test_asserted(self, p):
        """A type is compared with the function's own declaration."""
        p.lookup("first")
        use = p.lookup("second", "int64_t second(int64_t, int64_t)")

        assert use is p.lookup("second")
        with pytest.raises(plugin.SymbolTypeError, match="second"):
            p.lookup("second", "int (int)")
        with pytest.raises(plugin.DeclarationError, match="another name"):
            p.lookup("second", "int64_t first(int64_t, int64_t)")

    def test_pickle(self, p):
        """A function that shares its signature comes back as itself."""
        p.lookup("first")
        use = p.lookup("second")

        assert pickle.loads(pickle.dumps(use)) is use

    def test_end(self, p):
        """A function outlives the Plugin object's other references, and calls on."""
        use = p.lookup("second")
        p.lookup("first")
        del p

        assert 3 == use(5, 2)
        assert "second" in use.__doc__


class TestMeanwhile:
    """Declarations of the host's between two lookups."""

    def test_struct(self, p):
        """A struct that was opaque for the first function has members for one that is looked up later."""
        assert type(p.lookup("box_one")()) is plugin.Pointer
        p.declare("struct Box { int x; }; typedef struct Box Box;")

        assert 2 == p.lookup("box_two")().x
        assert 3 == p.lookup("box_three")().x


class TestMemory:
    """What a function takes."""

    @pytest.mark.skipif(
        not sys.platform.startswith("linux") or bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        reason="counts glibc's bytes, and objects have more of them without a GIL",
    )
    def test_bytes(self, build):
        """A function like others takes no more than 380 bytes, its name included."""
        lines = [f"PLUGIN_FUNC(int64_t, function_{i}, (int64_t value)) {{ return value; }}" for i in range(1000)]
        path = build(manifest("\n".join(lines)))

        assert int(run_host(MEASURE, path, PYTHONMALLOC="malloc")) <= 380
