"""The leak cases of memory, callbacks and contracts: structs, views, rooms, retained things, hosts, interfaces."""

import array
import operator
import os
from typing import Any, Protocol

import plugin
from plugin import _plugin

#: Entries that stand behind several of the core's files.
EXTRA = ("member", "view", "enum", "callback", "retained", "implement", "host", "room", "texts", "function", "bind")


class Log:
    """A Python object that stands for a Log *."""

    width = 3

    def __init__(self, **methods):
        vars(self).update(methods)

    def write(self, text, error=None):
        return len(text)

    def scale(self, by):
        return by

    def version(self, major):
        return major

    def close(self):
        pass


class Texts:
    """A sequence that ends in an exception."""

    def __iter__(self):
        yield "text"
        raise KeyError("no more")


def wrong(*_):
    """A callable that raises."""
    raise KeyError("by the callback")


def cases(case, failing, path):
    """Add all cases; `path` is that of each plugin by its file's name."""
    p = plugin.open(path["leaks_contracts.so"])
    found = p.bind()
    _struct_cases(case, failing, found)
    _member_cases(case, failing, found)
    _view_cases(case, failing, p, found)
    _callback_cases(case, failing, found)
    _retained_cases(case, failing, found)
    _implement_cases(case, failing, found)
    _room_cases(case, failing, found)
    _text_cases(case, failing, found)
    _host_cases(case, failing, path["host.so"])
    _bind_cases(case, failing, p, path)


def _struct_cases(case, failing, p):
    kind, point = type(p.record()), type(p.record().point)
    x = array.array("d", [1.0, 2.0])
    case("Struct.__new__", "empty", kind)
    case("Struct.__new__", "members", lambda: kind(number=3, text="text" * 99, point=point(x=1), values=x))
    failing("Struct.__new__", "position", kind, 1)
    failing("Struct.__new__", "unknown", kind, nothing=1)
    failing("Struct.__new__", "range", kind, number=2**40)
    failing("Struct.__new__", "second", kind, text="text" * 99, number="x")
    case("member", "by pointer", lambda: p.norm(point(x=1, y=2)))
    case("member", "array of structs", p.norms, p.record().points)
    failing("member", "of another kind", p.norm, kind())
    failing("member", "array of other items", p.norms, array.array("d", [1]))


def _member_cases(case, failing, p):
    record, made, spoiled = p.record(), type(p.record())(), p.spoiled()
    Point = type(record.point)
    good: dict[str, Any] = {
        "number": 7,
        "level": 2,
        "text": "text" * 200,
        "raw": b"text" * 200,
        "label": "label",
        "table": array.array("i", [1, 2, 3, 4]),
        "grid": memoryview(array.array("d", range(6))).cast("B").cast("d", (2, 3)),
        "point": Point(x=3),
        "values": array.array("d", range(200)),
        "other": Point(y=2),
        "handle": plugin.Pointer(8),
    }
    bad: dict[str, Any] = {
        "number": (2**40, "x", wrong),
        "level": (7, "x", 2**40),
        "text": ("a\0b", "\udfff", 1),
        "raw": ("text", 1),
        "label": ("too long a label", "\udfff", 1),
        "table": (array.array("i", [1]), array.array("d", [1] * 4), 1),
        "grid": (array.array("d", range(6)), None),
        "point": (made, 1, None),
        "values": (array.array("f", [1]), 1, "x"),
        "other": (made, 1),
        "handle": (1, "x"),
        "fixed": (1,),
    }
    for where, of in (("plugin's", record), ("ours", made)):
        for name, value in good.items():
            case("member", f"{where} {name} set", setattr, of, name, value)
            case("member", f"{where} {name} get", getattr, of, name)
            failing("member", f"{where} {name} delete", delattr, of, name)
        for name, values in bad.items():
            for number, value in enumerate(values):
                failing("member", f"{where} {name} {number}", setattr, of, name, value)
        for name in ("text", "other", "values"):
            case("member", f"{where} {name} none", lambda of=of, name=name: _none(of, name))
    for name in ("text", "label", "values"):
        failing("member", f"spoiled {name}", getattr, spoiled, name)
    case("member", "points", lambda: record.points.tobytes())
    case("member", "owned text", lambda: setattr(type(record)(), "text", "x" * 999))


def _none(of, name):
    if name != "values":
        setattr(of, name, None)
    return getattr(of, name)


def _view_cases(case, failing, p, found):
    kind = type(found.record())
    case("view", "struct", lambda: memoryview(kind(number=3)).nbytes)
    for name in ("numbers", "matrix", "origin", "level", "title"):
        variable = p.lookup(name)
        case("view", f"{name} value", getattr, variable, "value")
        if name != "title":
            case("view", f"{name} buffer", lambda variable=variable: memoryview(variable).tobytes())
    case("view", "kept", lambda: (kind().grid, memoryview(kind())))
    case("view", "array", lambda: memoryview(p.lookup("numbers")).tolist())
    case("view", "set array", setattr, p.lookup("numbers"), "value", array.array("i", [4, 3, 2, 1]))
    case("view", "set text", setattr, p.lookup("title"), "value", "other")
    case("view", "set struct", setattr, p.lookup("origin"), "value", type(found.record().point)(x=1, y=2))
    failing("view", "wrong array", setattr, p.lookup("numbers"), "value", array.array("i", [1]))
    failing("view", "wrong struct", setattr, p.lookup("origin"), "value", kind())
    failing("view", "hook", memoryview, p.lookup("hook"))
    case("enum", "member", found.raised, 1)
    case("enum", "itself", lambda: found.raised(found.raised(1)))
    failing("enum", "wrong", found.raised, 3)
    failing("enum", "type", found.raised, "LOW")


def _callback_cases(case, failing, p):
    case("callback", "data", p.with_data, lambda x: x + 1, 3)
    case("callback", "none", p.without, lambda x: x / 2)
    case("callback", "everything", p.given, lambda text, x, point, level: len(text) + len(x) + level)
    case("callback", "reported", p.reported, wrong)
    for name, call in (("data", lambda f: p.with_data(f, 3)), ("none", p.without), ("everything", p.given)):
        failing("callback", f"{name} raises", call, wrong)
        failing("callback", f"{name} arguments", call, lambda: 1)
        failing("callback", f"{name} result", call, lambda *_: "text" * 99)
        failing("callback", f"{name} no callable", call, 1)
    failing("callback", "range", p.with_data, lambda _: 2**80, 3)
    failing("callback", "after it", p.with_data, lambda x: x, "x")
    failing("callback", "not UTF-8", p.broken, len)
    kept: list[Any] = []
    failing(
        "callback", "view kept", p.given, lambda text, x, point, level: operator.setitem(kept, slice(None), [iter(x)])
    )
    case("callback", "blocking", p.slow_call, lambda x: x, "text")
    failing("callback", "blocking raises", p.slow_call, wrong, "text")
    failing("callback", "blocking argument", p.slow_call, wrong, "a\0b")


def _hook(p, function):
    p.hook.value = function
    return p.hook.value(1)


def _retained_cases(case, failing, p):
    case("retained", "callable", lambda: (p.keep_hook(lambda x: x), p.run_hook(3)))
    failing("retained", "callable raises", lambda: (p.keep_hook(wrong), p.run_hook(3)))
    failing("retained", "no callable", p.keep_hook, 3)
    case("retained", "bare", lambda: (p.keep_bare(lambda x: x), p.hook.value(3), p.keep_bare(None)))
    case("retained", "variable", _hook, p, lambda x: x + 1)
    failing("retained", "variable raises", _hook, p, wrong)
    failing("retained", "variable type", setattr, p.hook, "value", 3)
    case("retained", "buffer", lambda: p.keep_buffer(1, array.array("f", range(99))))
    failing("retained", "wrong buffer", lambda: p.keep_buffer(1, array.array("d", range(99))))
    case("retained", "text", lambda: (p.keep_text("text" * 200), p.keep_text("x"), p.keep_text(None)))
    failing("retained", "wrong text", p.keep_text, "a\0b")
    case("retained", "texts", lambda: p.keep_texts(["text" * 99, "x"]))
    failing("retained", "wrong texts", lambda: p.keep_texts(["text" * 99, 1]))
    case("retained", "object", lambda: (p.keep_log(Log()), p.keep_log(None)))
    failing("retained", "wrong object", p.keep_log, 3)


def _implement_cases(case, failing, p):
    lent = Log()
    case("implement", "lent", lambda: p.use_log(Log()))
    case("implement", "nullable", lambda: p.use_log(Log(flush=lambda: 1)))
    case("implement", "identity", lambda: p.same_log(lent) is lent or wrong())
    case("implement", "taken over", lambda: p.take_log(Log()))
    case("implement", "given", lambda: p.swap_log(Log()))
    case("implement", "given back", lambda: (p.swap_log(Log()), p.swap_log(None)))
    failing("implement", "given raises", lambda: (p.swap_log(None), p.swap_log(Log(close=wrong)), p.swap_log(None)))
    failing("implement", "no methods", p.use_log, object())
    failing("implement", "no callable", lambda: p.use_log(Log(write=3)))
    failing("implement", "raises", lambda: p.use_log(Log(write=wrong)))
    failing("implement", "raises without error", lambda: p.use_log(Log(scale=wrong)))
    failing("implement", "wrong result", lambda: p.use_log(Log(scale=lambda by: "text")))
    failing("implement", "wrong member", lambda: p.use_log(Log(width="wide")))
    failing("implement", "closing raises", lambda: p.take_log(Log(close=wrong)))


def _room_cases(case, failing, p):
    case("room", "items", p.room, 100)
    case("room", "nothing", p.room, 0)
    case("room", "two dimensions", p.rooms, 10, 10)
    case("room", "text", p.room_text, 100, 0)
    case("room", "used", lambda: (p.room_used(100, 7), p.room_used(100, 0), p.room_used(100, 100)))
    for used in (-1, 101, 2**31 - 1):
        failing("room", f"used {used}", p.room_used, 100, used)
    failing("room", "not UTF-8", p.room_text, 100, 1)
    failing("room", "negative", p.room, -1)
    failing("room", "too large", p.rooms, 2**31 - 1, 2**31 - 1)
    failing("room", "error", p.room_error, 100)
    failing("room", "type", p.room, "x")
    case("room", "blocking", p.slow_room, 100)
    failing("room", "blocking error", p.slow_room, 1)


def _text_cases(case, failing, p):
    case("texts", "length", p.text_length, "te\0xt" * 99)
    case("texts", "bytes", p.bytes_length, b"te\0xt" * 99)
    for number, bad in enumerate(("\udfff", 1, None)):
        failing("texts", f"length {number}", p.text_length, bad)
        failing("texts", f"bytes {number}", p.bytes_length, bad)
    case("texts", "strings", lambda: p.texts(["text" * n for n in range(20)]))
    case("texts", "no strings", p.texts, ())
    for number, texts in enumerate((["x" * 99, 1], ["x" * 99, "a\0b"], ["\udfff"], "text", b"text", 1, None, Texts())):
        failing("texts", f"strings {number}", p.texts, texts)
    case("function", "result", lambda: p.handler()(3))
    failing("function", "arguments", lambda: p.handler()("x"))
    case("function", "blocking", p.slowly, 3)
    failing("function", "blocking argument", p.slowly, "x")


def _host_cases(case, failing, path):
    plugin.open(path, host=Log())
    raw = os.fsencode(path)

    def load(host):
        return _plugin.load(_plugin.read(plugin.Plugin, raw, path, plugin.RTLD_NOW, None), raw, path, host)

    case("host", "again", lambda: load(Log()))
    failing("host", "none", load, None)
    failing("host", "no methods", load, object())
    failing("host", "another", plugin.open, path, host=object())


class Contract(Protocol):
    """What the plugin offers, in part."""

    hook: plugin.Variable

    def room(self, n: int) -> memoryview: ...
    def with_data(self, call: Any, x: int) -> int: ...


class Other(Protocol):
    """What it does not offer."""

    numbers: int

    def room(self, n: str) -> memoryview: ...
    def nothing(self) -> None: ...


def _bind_cases(case, failing, p, path):
    names = ("room", "with_data", "use_log", "numbers", "origin", "handler")
    case("Library._described", "all", lambda: [p._described(name) for name in names])
    case("Library._described", "none", p._described, "nothing")
    failing("Library._described", "type", p._described, 1)
    case("Library._compare", "equal", p._compare, "int slowly(int x); double norm(const Point *p);")
    case("Library._compare", "different", p._compare, "long slowly(int x); int nothing(void);")
    failing("Library._compare", "syntax", p._compare, "int slowly(")
    failing("Library._compare", "type", p._compare, 1)
    case("bind", "everything", lambda: p.bind().room(3))
    case("bind", "protocol", lambda: p.bind(Contract).room(3))
    case("bind", "text", p.bind, "double norm(const Point *p);")
    case("bind", "open", plugin.open, path["leaks_contracts.so"], interface=Contract)
    failing("bind", "other", p.bind, Other)
    failing("bind", "other text", p.bind, "long slowly(int x);")
    failing("bind", "neither", p.bind, 3)
    failing("bind", "unknown name", lambda: p.bind().nothing)
