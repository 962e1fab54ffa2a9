"""What type checkers infer: this file is checked, by mypy and by pyright, and never run."""

from collections.abc import Callable
from typing import Any, Protocol, assert_type

import plugin


class Row(Protocol):
    """What a host expects of a row."""

    def Get(self, column: int) -> float: ...


class Driver(Protocol):
    """What a host expects of a driver."""

    def Name(self) -> str: ...
    def Row(self) -> Row | None: ...


p = plugin.open(
    "driver.so", declare="double cos(double x);", mode=plugin.RTLD_NOW | plugin.RTLD_GLOBAL, on_change="keep"
)
assert_type(p, plugin.Plugin[Any])
assert_type(p.name, str)
assert_type(p.version, str | None)
assert_type(p.path, str)
assert_type(p.build_id, str | None)

# Without a type, and with C text, anything is possible.
assert_type(p.lookup("add"), Any)
assert_type(p.lookup("add", "int (int, int)"), Any)
assert_type(p.lookup(name="add", type=None), Any)

# With a Python type, the result is of that type.
assert_type(p.lookup("add", Callable[[int, int], int]), Callable[[int, int], int])
assert_type(p.lookup("add", type=Callable[..., str | None]), Callable[..., str | None])
new_driver = p.lookup("NewDriver", Callable[[], Driver])
assert_type(new_driver(), Driver)
assert_type(new_driver().Name(), str)
assert_type(new_driver().Row(), Row | None)
assert_type(p.lookup("driver", Driver), Driver)
assert_type(p.lookup("version", plugin.Variable), plugin.Variable)

# With an interface, the plugin is one of that, and bind gives it.
whole = plugin.open("driver.so", interface=Driver)
assert_type(whole, plugin.Plugin[Driver])
assert_type(whole.bind(), Driver)
assert_type(whole.bind().Name(), str)
assert_type(whole.bind(Row), Row)
assert_type(whole.bind(interface=Row).Get(1), float)
assert_type(p.bind(), Any)
assert_type(p.bind(Driver), Driver)
assert_type(p.bind("int f(int);"), Any)
assert_type(plugin.open("driver.so", interface="int f(int);"), plugin.Plugin[Any])
assert_type(plugin.open("driver.so", interface=None, host=object()), plugin.Plugin[Any])

symbol = p.symbols["add"]
assert_type(symbol, plugin.Symbol)
assert_type(symbol.name, str)
assert_type(symbol.address, int)
assert_type(symbol.declaration, str | None)
assert_type(symbol.as_type("int (int)"), Any)
assert_type(symbol.as_type(Callable[[int], bytes]), Callable[[int], bytes])
assert_type(list(p.symbols), list[str])

pointer = plugin.Pointer(4096)
assert_type(pointer.address, int)
assert_type(pointer.type, str)
assert_type(pointer.closed, bool)
with pointer as entered:
    assert_type(entered, plugin.Pointer)

assert_type(plugin.open("driver.so", sha256="0" * 64, interface=str), plugin.Plugin[str])
facts = plugin.inspect("driver.so")
assert_type(facts.digest, str | None)
assert_type(facts.name, str | None)
assert_type(facts.abi, tuple[int, int] | None)
assert_type(facts.needed, tuple[str, ...])
assert_type([record.text for record in facts.records], list[str])
assert_type([exported.size for exported in facts.symbols], list[int])
assert_type(plugin.find_library("z"), str)
assert_type(plugin.get_include(), str)

try:
    plugin.open(b"driver.so")
except plugin.CallError as failure:
    assert_type(failure.code, int)
except plugin.OpenError as refusal:
    assert_type(refusal.phase, str)
