"""The leak cases: what is done thousands of times, by the entry of the C core that it is for."""

import array
import contextlib
import ctypes
import functools
import gc
import inspect
import os
import pickle
import sys
import weakref

import leak_contracts
import leak_opening

import plugin

#: Entries that are no attribute of a C type: what a call converts, and what stands behind a type's slots.
EXTRA = ("argument", "result", "struct", "weakref", "open", "inspect", "buffer", "check", *leak_contracts.EXTRA)


class Bad:
    """A Python object whose conversions fail."""

    def __index__(self):
        raise KeyError("index")

    def __float__(self):
        raise KeyError("float")


def fails(function, /, *args, **kwargs):
    """Call what must raise, and drop the exception."""
    try:
        function(*args, **kwargs)
    except Exception:
        return
    raise AssertionError(f"{function} did not fail")


def cases(folder):
    """All cases, by (entry, name); the plugins stand in the folder, as test_leaks.py built them."""
    path = {name: os.path.join(folder, name) for name in os.listdir(folder)}
    raw = {name: os.fsencode(value) for name, value in path.items()}
    p = plugin.open(path["leaks.so"])
    found = {}

    def case(entry, name, function, /, *args, **kwargs):
        assert (entry, name) not in found
        found[entry, name] = functools.partial(function, *args, **kwargs)

    def failing(entry, name, function, /, *args, **kwargs):
        case(entry, name, fails, function, *args, **kwargs)

    leak_opening.cases(case, failing, path, raw)
    _library_cases(case, failing, p)
    _symbol_cases(case, failing, p)
    _argument_cases(case, failing, p)
    _result_cases(case, failing, p)
    _object_cases(case, failing, p)
    leak_contracts.cases(case, failing, path)
    return found


def _library_cases(case, failing, p):
    case("Library.lookup", "hit", p.lookup, "half")
    case("Library.lookup", "keyword", p.lookup, name="half", type=None)
    case("Library.lookup", "typed", p.lookup, "half", "double (double)")
    case("Library.lookup", "untyped", p.lookup, "bare", "int (int)")
    failing("Library.lookup", "miss", p.lookup, "missing")
    failing("Library.lookup", "mismatch", p.lookup, "half", "int (double)")
    failing("Library.lookup", "syntax", p.lookup, "half", "int (")
    failing("Library.lookup", "null", p.lookup, "a\0b")
    failing("Library.lookup", "surrogate", p.lookup, "\udfff")
    failing("Library.lookup", "type", p.lookup, 1)
    failing("Library.lookup", "unhashable", p.lookup, [], "int")
    failing("Library.lookup", "arguments", p.lookup, "half", nme=1)
    case("Library.declare", "again", p.declare, "int bare(int x);")
    failing("Library.declare", "syntax", p.declare, "int (")
    failing("Library.declare", "different", p.declare, "int half(int x);")
    failing("Library.declare", "null", p.declare, "int x;\0")
    failing("Library.declare", "type", p.declare, b"int x;")
    case("Library._symbol", "hit", p._symbol, "number")
    failing("Library._symbol", "miss", p._symbol, "missing")
    case("Library._names", "all", p._names)
    for name in ("name", "version", "path", "build_id", "_identity", "_mode"):
        case(f"Library.{name}", "get", getattr, p, name)
    case("weakref", "plugin", weakref.ref, p)


def _symbol_cases(case, failing, p):
    half, bare, number = p.symbols["half"], p.symbols["bare"], p.symbols["number"]
    for name in ("name", "plugin", "address", "declaration"):
        case(f"Symbol.{name}", "get", lambda name=name: [getattr(s, name) for s in (half, bare, number)])
    case("Symbol.__repr__", "all", lambda: [repr(s) for s in (half, bare, number)])
    case("Symbol.__reduce__", "symbols", lambda: [pickle.loads(pickle.dumps(s)) for s in (half, number)])
    case("Symbol.__reduce__", "built-in", lambda: pickle.loads(pickle.dumps(p.lookup("half"))))
    case("Symbol.__reduce__", "bare", lambda: pickle.loads(pickle.dumps(p.lookup("bare", "int (int)"))))
    case("Symbol.capsule", "all", lambda: [s.capsule() for s in (half, bare, number)])
    case("Symbol.as_type", "same", half.as_type, "double (double)")
    case("Symbol.as_type", "believed", lambda: bare.as_type("int (int)")(1))
    failing("Symbol.as_type", "mismatch", half.as_type, "int (int)")
    failing("Symbol.as_type", "name", half.as_type, "double other(double)")
    failing("Symbol.as_type", "python", half.as_type, int)
    case("Function.__call__", "typed", type(half).__call__, half, 1.0)
    failing("Function.__call__", "untyped", type(bare).__call__, bare, 1)
    case("Function.__name__", "get", getattr, half, "__name__")
    case("Function.__signature__", "get", inspect.signature, p.lookup("divide"))
    failing("Function.__signature__", "untyped", getattr, bare, "__signature__")
    case("Function.__getattribute__", "itself", getattr, half, "half")
    failing("Function.__getattribute__", "miss", getattr, half, "other")
    case("Function._describe", "all", lambda: [p.symbols[n]._describe() for n in ("total", "divide", "use", "bare")])
    case("Function._general", "all", lambda: (half._general(), bare._general()))
    case("Variable._describe", "all", lambda: [p.symbols[n]._describe() for n in ("number", "text")])
    _variable_cases(case, failing, number, p.symbols["fixed"], p.symbols["text"])
    case("weakref", "symbols", lambda: [weakref.ref(s) for s in (half, bare, number)])


def _variable_cases(case, failing, number, fixed, text):
    case("Variable.value", "get", lambda: (number.value, text.value))
    case("Variable.value", "set", setattr, number, "value", 77)
    case("Variable.value", "text", lambda: setattr(text, "value", "x" * 600))
    failing("Variable.value", "range", setattr, number, "value", 2**40)
    failing("Variable.value", "error", setattr, number, "value", Bad())
    failing("Variable.value", "const", setattr, fixed, "value", 1)
    failing("Variable.value", "delete", delattr, number, "value")
    failing("Variable.value", "null", setattr, text, "value", "a\0b")
    failing("Variable.value", "type", setattr, text, "value", 1)
    case("buffer", "number", lambda: memoryview(number).tolist())
    failing("buffer", "text", memoryview, text)


def _argument_cases(case, failing, p):
    scalars, total, use = p.lookup("scalars"), p.lookup("total"), p.lookup("use")
    doubles, new = array.array("d", [1.0, 2.0]), p.lookup("NewDriver")
    case("argument", "scalars", scalars, True, -1, 2**64 - 1, 1.5, 2)
    case("argument", "keywords", scalars, True, u=7, d=1.0, f=1.0, i=3)
    failing("argument", "unknown keyword", scalars, True, 1, 1, 1, e=3)
    failing("argument", "twice", scalars, True, 1, 1, 1, 1, b=3)
    failing("argument", "too few", scalars, True)
    failing("argument", "too many", scalars, *range(9))
    for number in range(5):
        for name, bad in (("type", "text"), ("error", Bad()), ("range", 10**5000)):
            arguments: list[object] = [True, 1, 1, 1.0, 1.0]
            arguments[number] = bad
            failing("argument", f"scalar {number} {name}", scalars, *arguments)
    for name, bad in (("null", "a\0b"), ("surrogate", "\udfff"), ("type", 1)):
        failing("argument", f"string {name}", p.lookup("echo"), bad)
    case("argument", "buffers", total, doubles, memoryview(doubles))
    failing("argument", "lengths", total, doubles, doubles[:1])
    failing("argument", "items", total, doubles, array.array("f", [1]))
    failing("argument", "no buffer", total, doubles, 1)
    failing("argument", "strides", total, doubles, memoryview(doubles)[::-1])
    failing("argument", "dimensions", total, doubles, memoryview(doubles).cast("B").cast("d", (1, 2)))
    failing("argument", "read-only", p.lookup("fill"), b"abc")
    for name, good in (("bytes", b"x"), ("none", None), ("pointer", plugin.Pointer(8)), ("ctypes", ctypes.c_void_p(8))):
        case("argument", f"address {name}", p.lookup("peek"), good)
    for name, wrong in (("int", 1), ("tuple", (1,)), ("object", Bad()), ("buffer", memoryview(b"abcd")[::2])):
        failing("argument", f"address {name}", p.lookup("peek"), wrong)
    case("argument", "object", lambda: use(new(0), 1))
    case("argument", "owned", lambda: p.lookup("take")(new(0)))
    failing("argument", "object then error", lambda: use(new(0), Bad()))
    failing("argument", "other object", lambda: use(p.lookup("open_context")(), 1))
    failing("argument", "none", use, None, 1)
    failing("argument", "inout", p.lookup("twice"), 2**40)


def _result_cases(case, failing, p):
    for name in ("echo", "raw", "copy", "copy_free"):
        case("result", name, p.lookup(name), b"text" * 200)
        if name != "raw":
            failing("result", f"{name} of no UTF-8", p.lookup(name), b"\xff")
    case("result", "none", p.lookup("echo"), "")
    failing("result", "null", p.lookup("nothing"))
    failing("result", "null string", p.lookup("echo"), None)
    case("result", "integer", p.lookup("large"))
    case("result", "several", p.lookup("divide"), 1000, 7)
    failing("result", "error", p.lookup("divide"), 1, 0)
    case("result", "used length", p.lookup("fill"), bytearray(9))
    case("result", "inout", p.lookup("twice"), 700)
    case("result", "object", p.lookup("NewDriver"), 0)
    failing("result", "object and error", p.lookup("NewDriver"), 1)
    case("result", "out", p.lookup("make_context"))


def _object_cases(case, failing, p):
    new, context, same = p.lookup("NewDriver"), p.lookup("open_context"), p.lookup("same_context")
    driver, kept = new(0), context()
    closed = new(0)
    closed.Close()
    case(
        "struct", "methods", lambda: (driver.Name(), driver.Mean(array.array("d", [3])), driver.Maybe(), driver.Peer())
    )
    case("struct", "closed", lambda: new(0).Close())
    case("struct", "signature", lambda: [inspect.signature(getattr(type(driver), name)) for name in ("Name", "Mean")])
    case("struct", "documentation", lambda: (type(driver).Mean.__doc__, driver.Maybe.__doc__))
    for name in ("Missing", "Name", "Maybe"):
        failing("struct", f"failing {name}", lambda name=name: getattr(driver if name == "Missing" else closed, name)())
    failing("struct", "error", driver.Mean, array.array("d"))
    case("Handle.__enter__", "owned", _with, context)
    failing("Handle.__enter__", "borrowed", lambda: driver.Peer().__enter__())
    failing("Handle.__enter__", "closed", closed.__enter__)
    case("Handle.__exit__", "twice", lambda: [handle.__exit__(None, None, None) for handle in [context()] * 2])
    case("Handle.__repr__", "all", lambda: [repr(h) for h in (driver, closed, kept, same(kept), plugin.Pointer(8))])
    case("Handle.__eq__", "all", lambda: (kept == same(kept), kept != driver, kept == 1))
    failing("Handle.__eq__", "order", lambda: kept < kept)
    case("Handle.__hash__", "open", lambda: {kept, driver, same(kept)})
    failing("Handle.__hash__", "closed", hash, closed)
    case("Pointer.__new__", "raw", plugin.Pointer, address=8)
    for bad in (0, "text", 2**80):
        failing("Pointer.__new__", str(bad), plugin.Pointer, bad)
    for name in ("address", "type", "plugin", "closed"):
        case(f"Pointer.{name}", "get", lambda name=name: [getattr(h, name) for h in (same(kept), plugin.Pointer(8))])
    failing("Pointer.address", "closed", lambda: _released(context).address)
    case("weakref", "objects", lambda: [weakref.ref(h, lambda _: None) for h in (context(), new(0))])
    case("check", "cycle", _cycle, new)
    case("check", "traceback", lambda: contextlib.suppress(KeyError).__exit__(*_raised(new)))


def _with(context):
    with context() as handle:
        return handle.address


def _released(context):
    with context() as handle:
        return handle


def _cycle(new):
    """An owned object in a cycle of Python objects, which only the collector ends."""
    things = [new(0)]
    things.append(things)
    if gc.get_count()[0] > 500:
        gc.collect()


def _raised(new):
    try:
        new(0).Mean(Bad())
    except TypeError:
        return sys.exc_info()
    raise AssertionError
