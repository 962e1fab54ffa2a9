"""Go's plugin package for Python: open native shared libraries, look up typed symbols, call them.

Read this first.  A plugin is native code with all rights of the process: a bug in it can crash the host, and there is
no sandbox.  It is never unloaded.  A call holds the GIL.  A library without a manifest is called as the host declares
it, right or wrong; with a manifest, what the host asserts is checked against what was compiled.

    p = plugin.open("driver.so")
    new_driver = p.lookup("NewDriver", Callable[[], Driver])
    print(new_driver().Name())

Two verbs, open and Plugin.lookup; two types, Plugin and Symbol.  Every error is a PluginError that names the file,
the symbol and the reason.
"""

from plugin._open import RTLD_GLOBAL, RTLD_LAZY, RTLD_LOCAL, RTLD_NOW, Plugin, open
from plugin._plugin import Function, Pointer, Symbol, Variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plugin._errors import (
        AlreadyLoadedError,
        CallError,
        ClosedError,
        DeclarationError,
        IncompatiblePluginError,
        InitError,
        InvalidPluginError,
        OpenError,
        PluginError,
        PluginNotFoundError,
        StalePluginError,
        SymbolNotFoundError,
        SymbolTypeError,
    )
    from plugin._find import find_library, get_include
    from plugin._inspect import inspect
    from plugin._version import __version__

__all__ = [
    "RTLD_GLOBAL",
    "RTLD_LAZY",
    "RTLD_LOCAL",
    "RTLD_NOW",
    "AlreadyLoadedError",
    "CallError",
    "ClosedError",
    "DeclarationError",
    "Function",
    "IncompatiblePluginError",
    "InitError",
    "InvalidPluginError",
    "OpenError",
    "Plugin",
    "PluginError",
    "PluginNotFoundError",
    "Pointer",
    "StalePluginError",
    "Symbol",
    "SymbolNotFoundError",
    "SymbolTypeError",
    "Variable",
    "__version__",
    "find_library",
    "get_include",
    "inspect",
    "open",
]

# Where the names stand that few programs need as soon as they start; an import of plugin is to cost next to nothing.
_HOMES = {"find_library": "_find", "get_include": "_find", "inspect": "_inspect", "__version__": "_version"}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name, "_errors")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if home == "_errors":
        __import__(f"{__name__}._sentences")  # who names an error wants its sentence, perhaps without rights to read
    value: object = getattr(__import__(f"{__name__}.{home}", fromlist=[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


del TYPE_CHECKING
