"""The leak cases of opening: the functions of the module."""

import functools
import os

import plugin
from plugin import _plugin


def as_if_new(shown, keep_names=False):
    """Open what may be open as if this interpreter had not opened it; with `keep_names` its path is known."""
    _plugin.by_file.clear()
    if not keep_names:
        _plugin.by_path.clear()
    return _plugin.plain(plugin.Plugin, shown)


def cases(case, failing, path, raw):
    """Those of the functions of the module, some of which say no; the plugins stand at these paths, str and bytes."""
    mode = plugin.RTLD_NOW
    read = functools.partial(_plugin.read, plugin.Plugin)

    def load(name, declare=None, host=None):
        library = read(raw[name], path[name], mode, declare)
        return _plugin.load(library, raw[name], path[name], host)

    case("read", "file", read, raw["leaks.so"], "x", mode, None)
    case("read", "declared", read, raw["bare.so"], "x", mode, "int bare(int x);")
    failing("read", "argument", _plugin.read, int, raw["leaks.so"], "x", mode, None)
    failing("read", "missing", read, b"/missing", "x", mode, None)
    failing("read", "folder", read, b"/", "x", mode, None)
    failing("read", "declaration", read, raw["bare.so"], "x", mode, "int bare(")
    for name in ("text.so", "short.so", "machine.so"):
        failing("read", name, read, raw[name], path[name], mode, None)
        failing("facts", name, _plugin.facts, raw[name], "x")
    case("load", "again", load, "leaks.so")
    case("load", "declared", load, "bare.so", "int bare(int x);")
    failing("load", "argument", _plugin.load, 1, raw["leaks.so"], "x", None)
    failing("load", "host", load, "leaks.so", host=1)
    for name in ("undefined.so", "taken.so", "init.so", "odd_init.so"):
        failing("load", name, load, name)
    case("identify", "file", _plugin.identify, raw["leaks.so"])
    failing("identify", "missing", _plugin.identify, b"/missing")
    failing("identify", "argument", _plugin.identify, "text")
    case("plain", "open", _plugin.plain, plugin.Plugin, path["leaks.so"])
    for real in (os.path.realpath(each["leaks.so"]) for each in (path, raw)):
        case("plain", f"new {real!a}", as_if_new, real)
        case("plain", f"used {real!a}", lambda real=real: as_if_new(real).lookup("NewDriver"))
    for odd in (os.path.realpath(path["leaks.so"]), "/missing", "/", "/proc/self/exe", "\ud800"):
        case("plain", ascii(odd), as_if_new, odd, keep_names=True)
    for name in ("text.so", "init.so", "taken.so"):
        failing("plain", name, lambda name=name: as_if_new(os.path.realpath(path[name])))
    failing("plain", "argument", _plugin.plain, 1, "text")
    case("own_lookup", "type", _plugin.own_lookup, type("Own", (_plugin.Library,), {}))
    failing("own_lookup", "argument", _plugin.own_lookup, int)
    case("realpath", "file", _plugin.realpath, raw["leaks.so"])
    failing("realpath", "missing", _plugin.realpath, b"/missing")
    failing("realpath", "argument", _plugin.realpath, "text")
    case("facts", "file", _plugin.facts, raw["leaks.so"], "x")
    case("facts", "bare", _plugin.facts, raw["bare.so"], "x")
    failing("facts", "missing", _plugin.facts, b"/missing", "x")
    failing("facts", "argument", _plugin.facts, 1)
    case("digest", "file", _plugin.digest, raw["leaks.so"], "x")
    failing("digest", "text", _plugin.digest, raw["text.so"], "x")
    failing("digest", "argument", _plugin.digest, 1)
    case("inspect", "file", plugin.inspect, path["leaks.so"])
    case("open", "cached", plugin.open, path["leaks.so"])
    case("open", "declared", plugin.open, path["bare.so"], declare="int bare(int x);")
    failing("open", "mode", plugin.open, path["leaks.so"], mode=plugin.RTLD_LAZY)
    failing("open", "missing", plugin.open, "/missing")
    failing("open", "sha256", plugin.open, path["leaks.so"], sha256=bytes(32))
