"""The contestants that need no C++: how the hand-written extension, plugin, cffi and ctypes do each operation."""

import ctypes
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plugin

from . import build, cffi_api
from .measure import Use
from .operations import OPERATIONS, Operation, identity

Uses = dict[str, Use]
# Gives a Use for each key of an operation that the contestant can do.
Contestant = Callable[[], Uses]

DECLARATIONS = cffi_api.DECLARATIONS


def load(name: str, path: Path) -> Any:
    """The extension module in that file."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plain_functions(find: Callable[[str], Any], skip: set[str]) -> Uses:
    """A Use of the function itself for each operation whose statement calls it, but those in `skip`."""
    return {each.key: Use({"f": find(each.function)}) for each in OPERATIONS if calls(each) and each.key not in skip}


def calls(operation: Operation) -> bool:
    """Whether the operation's statement calls its function."""
    return operation.statement.startswith("f(")


def bound(module: Any) -> Uses:
    """Extension modules, however they were made, look alike from Python: functions, and two types."""
    uses = plain_functions(lambda name: getattr(module, name), {"handle"})
    uses["handle"] = Use({"f": module.counter_value, "o": module.counter_new(5)})
    uses["method"] = Use({"o": module.adder_new(5)})
    uses["read"] = uses["write"] = Use({"o": module.State()})
    return uses


def hand() -> Uses:
    """The limit."""
    return bound(load("hand", build.hand("hand")))


def plain() -> Uses:
    """The same by hand, with the functions of the C API instead of inline fast paths."""
    return bound(load("plain", build.hand("plain")))


def by_plugin() -> Uses:
    """What lookup gives."""
    opened = plugin.open(build.work_plugin())
    uses = plain_functions(opened.lookup, {"handle"})
    uses["handle"] = Use({"f": opened.lookup("counter_value"), "o": opened.lookup("counter_new")(5)})
    uses["method"] = Use({"o": opened.lookup("adder_new")(5)})
    uses["read"] = Use({"o": opened.lookup("level")}, "o.value")
    uses["write"] = Use({"o": opened.lookup("level")}, "o.value = a")
    return uses


def by_general() -> Uses:
    """The general call, which serves the signatures for which nothing is ready-made."""
    opened = plugin.open(build.work_plugin())
    uses = plain_functions(lambda name: opened.symbols[name]._general(), {"handle"})
    uses["handle"] = Use({"f": opened.symbols["counter_value"]._general(), "o": opened.lookup("counter_new")(5)})
    return uses


def with_data(i: int, data: object) -> int:
    """The callback of those who hand `data` on."""
    return i


class Owner:
    """A handle that is released with its last reference, as one writes it over ctypes."""

    __slots__ = ("_free", "pointer")

    def __init__(self, pointer: Any, free: Any) -> None:
        self.pointer = pointer
        self._free = free

    def __del__(self) -> None:
        self._free(self.pointer)


class AdderStruct(ctypes.Structure):
    """The interface, for ctypes."""


ADD = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.POINTER(AdderStruct), ctypes.c_int64)
CLOSE = ctypes.CFUNCTYPE(None, ctypes.POINTER(AdderStruct))
AdderStruct._fields_ = [("Add", ADD), ("Close", CLOSE)]


def ctypes_functions(library: ctypes.CDLL) -> None:
    """Sets the types of every function."""
    i64, double, size, pointer = ctypes.c_int64, ctypes.c_double, ctypes.c_size_t, ctypes.c_void_p
    call = ctypes.CFUNCTYPE(i64, i64, pointer)
    mixed = [ctypes.c_int8, double, ctypes.c_uint16, i64, ctypes.c_float, double, ctypes.c_uint32, i64]
    types: dict[str, tuple[Any, list[Any]]] = {
        "nothing": (None, []),
        **{name: (i64, [i64, i64]) for name in ("add", "add_released", "add_shared")},
        "add_int32": (ctypes.c_int32, [ctypes.c_int32] * 2),
        "add_doubles": (double, [double] * 2),
        "add_six": (double, [double] * 6),
        "add_mixed": (double, mixed),
        "text_length": (i64, [ctypes.c_char_p]),
        "greeting": (ctypes.c_char_p, []),
        "skip_byte": (ctypes.c_char_p, [ctypes.c_char_p]),
        "sum": (double, [pointer, size]),
        "copy_bytes": (None, [pointer, pointer, size]),
        "counter_new": (pointer, [i64]),
        "counter_value": (i64, [pointer]),
        "counter_free": (None, [pointer]),
        "adder_new": (ctypes.POINTER(AdderStruct), [i64]),
        "call_many": (i64, [i64, call, pointer]),
        "nap": (i64, [i64]),
    }
    for name, (result, arguments) in types.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


def by_ctypes() -> Uses:
    """ctypes, argtypes and restype set."""
    library = ctypes.CDLL(str(build.work_library()))
    ctypes_functions(library)
    uses = plain_functions(lambda name: getattr(library, name), {"string", "text", "handle"})
    uses["string"] = Use({"f": library.text_length}, "f(a.encode())")
    uses["text"] = Use({"f": library.greeting}, "f().decode()")
    uses["array"] = Use({"f": library.sum}, "f(*x.buffer_info())")
    uses["numpy"] = Use({"f": library.sum}, "f(x.ctypes.data, len(x))")
    room = ctypes.c_char * 64
    uses["copy"] = Use({"f": library.copy_bytes, "room": room.from_buffer}, "f(a, room(b), len(a))")
    counter = Owner(library.counter_new(5), library.counter_free)
    uses["handle"] = Use({"f": library.counter_value, "o": counter}, "f(o.pointer)")
    uses["create"] = Use({"f": library.counter_new, "free": library.counter_free, "O": Owner}, "O(f(a), free)")
    adder = library.adder_new(5)
    uses["method"] = Use({"o": adder.contents, "p": adder}, "o.Add(p, a)")
    uses["object"] = Use({"f": library.adder_new, "free": adder.contents.Close, "O": Owner}, "O(f(a), free)")
    level = ctypes.c_int64.in_dll(library, "level")
    uses["read"], uses["write"] = Use({"o": level}, "o.value"), Use({"o": level}, "o.value = a")
    call = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
    library.call_many.argtypes = [ctypes.c_int64, call, ctypes.c_void_p]
    uses["callbacks"] = Use({"f": library.call_many, "g": with_data, "make": call}, "f(a, make(g), None)")
    return uses


def over_cffi(ffi: Any, library: Any) -> Uses:
    """What both ways of cffi have in common."""
    uses = plain_functions(lambda name: getattr(library, name), {"string", "text", "bytes", "handle", "callbacks"})
    uses["string"] = Use({"f": library.text_length}, "f(a.encode())")
    uses["text"] = Use({"f": library.greeting, "string": ffi.string}, "string(f()).decode()")
    uses["bytes"] = Use({"f": library.skip_byte, "string": ffi.string}, "string(f(a))")
    view = {"f": library.sum, "view": ffi.from_buffer, "type": ffi.typeof("double[]")}
    uses["array"] = uses["numpy"] = Use(view, "f(view(type, x), len(x))")
    uses["copy"] = Use({"f": library.copy_bytes, "view": ffi.from_buffer}, "f(a, view(b), len(a))")
    uses["handle"] = Use({"f": library.counter_value, "o": ffi.gc(library.counter_new(5), library.counter_free)})
    uses["create"] = Use({"f": library.counter_new, "gc": ffi.gc, "free": library.counter_free}, "gc(f(a), free)")
    adder = library.adder_new(5)
    uses["method"] = Use({"o": adder}, "o.Add(o, a)")
    uses["object"] = Use({"f": library.adder_new, "gc": ffi.gc, "free": adder.Close}, "gc(f(a), free)")
    uses["read"] = uses["write"] = Use({"o": library})
    return uses


def by_cffi() -> Uses:
    """cffi, API mode: a compiled module; a callback is declared in C and finds its function by a handle."""
    module = load("_work_cffi", cffi_api.module())
    ffi, library = module.ffi, module.lib

    @ffi.def_extern(name="work_callback")  # type: ignore[untyped-decorator]
    def callback(i: int, data: Any) -> int:
        return ffi.from_handle(data)(i)  # type: ignore[no-any-return]

    uses = over_cffi(ffi, library)
    names = {"f": library.call_many, "call": library.work_callback, "handle": ffi.new_handle, "g": identity}
    uses["callbacks"] = Use(names, "f(a, call, handle(g))")
    return uses


def by_cffi_abi() -> Uses:
    """cffi, ABI mode: the library is opened, and libffi calls."""
    import cffi

    ffi = cffi.FFI()
    ffi.cdef(DECLARATIONS)
    library = ffi.dlopen(str(build.work_library()))
    uses = over_cffi(ffi, library)
    kind = ffi.typeof("int64_t (*)(int64_t, void *)")
    names = {"f": library.call_many, "make": ffi.callback, "kind": kind, "g": with_data, "null": ffi.NULL}
    uses["callbacks"] = Use(names, "f(a, make(kind, g), null)")
    return uses
