"""`void *`: buffers, Pointers, and pointers of ctypes and cffi; never a plain number."""

import array
import ctypes

import natives
import pytest

import plugin

SOURCE = """
#include <plugin.h>
#include <stddef.h>
PLUGIN("addresses/one", "1");
PLUGIN_FUNC(uintptr_t, read, (const void *x)) { return (uintptr_t)x; }
PLUGIN_FUNC(uintptr_t, write, (void *x)) { return (uintptr_t)x; }
PLUGIN_FUNC(uintptr_t, maybe, (const void *x plugin_nullable)) { return (uintptr_t)x; }
PLUGIN_FUNC(void *, same, (void *x)) { return x; }
PLUGIN_FUNC(plugin_nullable void *, null, (void)) { return NULL; }
PLUGIN_FUNC(void, out, (uintptr_t x, void **p plugin_out)) { *p = (void *)x; }
"""


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    """The plugin of this file."""
    return plugin.open(natives.compiled(tmp_path_factory, SOURCE))


class TestArguments:
    """What `void *` takes."""

    def test_any_items(self, p):
        """A buffer of any items will do, an empty one too."""
        for letter in "bBhHiIlLqQfd":
            data = array.array(letter, [0] * 3)
            assert data.buffer_info()[0] == p.lookup("write")(data)
        p.lookup("read")(b"")

    def test_pointer(self, p):
        """A Pointer gives its address, one made from a number too."""
        assert p.lookup("read")(plugin.Pointer(4096)) == 4096
        assert p.lookup("write")(plugin.Pointer(2**64 - 8)) == 2**64 - 8

    def test_ctypes(self, p):
        """Pointers of ctypes give what they point to; arrays and structures their own memory."""
        x = ctypes.c_int(5)
        at = ctypes.addressof(x)
        array_ = (ctypes.c_int * 3)()

        for pointer in (ctypes.pointer(x), ctypes.c_void_p(at), ctypes.cast(at, ctypes.c_char_p)):
            assert at == p.lookup("write")(pointer)
        assert ctypes.addressof(array_) == p.lookup("write")(array_)
        assert at == p.lookup("write")(x)

    def test_ctypes_function(self, p):
        """A function of ctypes gives the address of its code."""
        callback = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1)

        assert ctypes.cast(callback, ctypes.c_void_p).value == p.lookup("read")(callback)

    def test_cffi(self, p):
        """Pointers and arrays of cffi give what they point to."""
        cffi = pytest.importorskip("cffi")
        ffi = cffi.FFI()
        for thing in (ffi.new("int *"), ffi.new("char[10]"), ffi.cast("void *", 4096)):
            assert int(ffi.cast("uintptr_t", thing)) == p.lookup("write")(thing)

    @pytest.mark.parametrize("wrong", [0, 4096, True, 1.0, "text", [1], object()])
    @pytest.mark.parametrize("name", ["read", "write", "maybe"])
    def test_refused(self, p, name, wrong):
        """Numbers, text and other objects are a TypeError that names the argument; an int's tells of Pointer."""
        with pytest.raises(TypeError) as caught:
            p.lookup(name)(wrong)

        assert "'x'" in str(caught.value)
        assert type(wrong).__name__ in str(caught.value)
        if isinstance(wrong, int):
            assert "Pointer" in str(caught.value)

    def test_null(self, p):
        """None is NULL where plugin_nullable says so, and refused where not."""
        assert p.lookup("maybe")(None) == 0
        with pytest.raises(TypeError):
            p.lookup("read")(None)

    def test_null_of_others(self, p):
        """A NULL pointer of ctypes is NULL as well: refused unless plugin_nullable says otherwise."""
        assert p.lookup("maybe")(ctypes.c_void_p(None)) == 0
        with pytest.raises(ValueError) as caught:
            p.lookup("read")(ctypes.c_void_p(None))

        assert "'x'" in str(caught.value)
        assert "plugin_nullable" in str(caught.value)


class TestResults:
    """What `void *` gives."""

    def test_pointer(self, p):
        """A Pointer with the address; equal to another of the same plugin and address."""
        data = bytearray(8)
        pointer = p.lookup("same")(data)

        assert isinstance(pointer, plugin.Pointer)
        assert p.lookup("write")(data) == pointer.address
        assert pointer == p.lookup("same")(pointer)
        assert len({pointer, p.lookup("same")(data)}) == 1
        assert "addresses/one" in repr(pointer)

    def test_null(self, p):
        """NULL is None if it is allowed."""
        assert p.lookup("null")() is None

    def test_out(self, p):
        """A pointer by pointer comes back; NULL that is not allowed is a CallError."""
        assert p.lookup("out")(4096).address == 4096
        with pytest.raises(plugin.CallError) as caught:
            p.lookup("out")(0)
        assert "NULL" in str(caught.value)


class TestPointer:
    """plugin.Pointer itself."""

    def test_made(self):
        """A Pointer made from a number has that address, the type void, and no plugin."""
        pointer = plugin.Pointer(4096)

        assert (4096, "void", None, False) == (pointer.address, pointer.type, pointer.plugin, pointer.closed)
        assert pointer == plugin.Pointer(address=4096)
        assert pointer != plugin.Pointer(4104)
        number: object = 4096
        assert pointer != number

    @pytest.mark.parametrize(
        ("wrong", "error"), [(0, ValueError), (2**64, OverflowError), ("x", TypeError), (None, TypeError)]
    )
    def test_refused(self, wrong, error):
        """0, what is no address, and what is no number are refused."""
        with pytest.raises(error):
            plugin.Pointer(wrong)
