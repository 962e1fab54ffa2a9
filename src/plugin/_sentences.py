"""What the user reads: C and the package hand over facts, these functions write the sentences."""

from __future__ import annotations

import errno as codes
import os

from plugin._brief import brief as brief
from plugin._brief import quote as quote
from plugin._errors import (
    AlreadyLoadedError,
    CallError,
    ClosedError,
    DeclarationError,
    IncompatiblePluginError,
    InitError,
    InvalidPluginError,
    OpenError,
    PluginNotFoundError,
    StalePluginError,
    SymbolNotFoundError,
    SymbolTypeError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# ---------------------------------------------------------------- how things are named in sentences


def opening(path: Any, reason: str, verb: str = "open") -> str:
    """The sentence of a failed open: `plugin.open("driver.so"): <reason>`."""
    return f"plugin.{verb}({quote(path)}): {reason}"


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _caller(function: str, plugin: str, version: str | None) -> str:
    return f"{function} ({plugin} {version})" if version else f"{function} ({plugin})"


# ---------------------------------------------------------------- opening

_TEXT_HINT = "; was the built-in open() meant?"


def not_found(path: Any, error: OSError, hint: str = "") -> OpenError:
    """The path leads nowhere; `hint` tells where such a library is."""
    kind = PluginNotFoundError if error.errno in (codes.ENOENT, codes.ENOTDIR) else OpenError
    return kind(error.errno, opening(path, f"realpath failed: {error.strerror}{hint}"), path)


def other_real(path: Any, real: str) -> StalePluginError:
    """The path and what should be its real path lead to two files."""
    reason = f"the file was deleted, or replaced while it was being opened: {quote(real)} is another one"
    return StalePluginError(codes.ESTALE, opening(path, reason), path)


def expanded(path: Any, word: str) -> OpenError:
    """The loader would open another path."""
    reason = f"the system's loader reads {word} in a path as a word of its own, and would open another file: rename it"
    return OpenError(codes.EINVAL, opening(path, reason), path)


def file_refused(path: Any, status: str, errno: int, raw: bytes) -> OpenError:
    """The file check said no, before anything was mapped."""
    reason = _text(raw)
    if status == "system":
        kind = PluginNotFoundError if errno in (codes.ENOENT, codes.ENOTDIR) else OpenError
        return kind(errno, opening(path, os.strerror(errno)), path, phase="read")
    if status == "incompatible":
        error = IncompatiblePluginError(codes.ENOEXEC, opening(path, reason), path, phase="read")
        error.differences = (reason,)
        return error
    if "text" in reason:
        reason += _TEXT_HINT
    return InvalidPluginError(codes.ENOEXEC, opening(path, reason), path, phase="read")


def other_sha256(path: Any, expected: str, found: str) -> InvalidPluginError:
    """Not the file that the caller pinned."""
    reason = f"not the file that was asked for: its SHA-256 is {found}, expected {expected}"
    return InvalidPluginError(codes.ENOEXEC, opening(path, reason), path, phase="read")


def changed_while_pinned(path: Any) -> StalePluginError:
    """The file with the right SHA-256 changed before it was loaded, or while it was."""
    reason = "the file changed while it was being opened, so that nothing is known of the SHA-256 of what was loaded"
    return StalePluginError(codes.ESTALE, opening(path, reason), path, phase="load")


def inspecting(error: OpenError, hint: str, verb: str = "inspect") -> OpenError:
    """The error of a file that inspect could not read, in its own words; `hint` is for a path that leads nowhere."""
    found = hint if isinstance(error, PluginNotFoundError) else ""
    reason = str(error).removeprefix(opening(error.path, "")).removesuffix(_TEXT_HINT)
    error.strerror = opening(error.path, f"{reason}{found}", verb)
    return error


def already_loaded(path: Any, name: str, raw: bytes) -> AlreadyLoadedError:
    """A second file of one plugin name."""
    first = os.fsdecode(raw)
    message = opening(path, f"plugin already loaded: {name} is open from {quote(first)}")
    error = AlreadyLoadedError(codes.EEXIST, message, path, phase="read")
    error.first_path = first
    return error


def load_failed(path: Any, real: str, raw: bytes) -> OpenError:
    """The loader (dlopen) said no."""
    reason = os.fsdecode(raw).removeprefix(f"{real}: ")
    return OpenError(codes.ENOEXEC, opening(path, reason), path, phase="load")


def changed_while_opening(path: Any, _real: str, raw: bytes) -> StalePluginError:
    """What was mapped is not what was read."""
    reason = f"the file that was loaded is not the one that was read: {_text(raw)}"
    return StalePluginError(codes.ESTALE, opening(path, reason), path, phase="load")


def stale(path: Any, name: str, real: str) -> StalePluginError:
    """The file on disk changed under an open plugin."""
    reason = (
        f"{quote(real)} changed on disk since {name} was opened from it, and the old code is still loaded; "
        'a new process loads the new file, on_change="keep" goes on with the old one'
    )
    return StalePluginError(codes.ESTALE, opening(path, reason), path, phase="find")


def other_mode(path: Any, name: str, old: int, new: int) -> OpenError:
    """Open already, with another mode."""
    reason = f"{name} is open already with mode {old}, not {new}: the loader cannot change it"
    return OpenError(codes.EBUSY, opening(path, reason), path, phase="find")


def other_host(path: Any, name: str) -> OpenError:
    """Open already, with another host object."""
    return OpenError(codes.EBUSY, opening(path, f"{name} is open already, with another host object"), path)


def host_refused(path: Any, name: str, struct: str, missing: list[str]) -> IncompatiblePluginError:
    """What PLUGIN_INIT wants and what the host gives do not go together."""
    if not struct:
        reason = "it takes no host object: its PLUGIN_INIT has no parameter for one"
    elif not missing:
        reason = f"it wants a host object, with the methods of its struct {struct}: plugin.open(..., host=...)"
    else:
        reason = f"the host object lacks methods of {struct}, which it wants: {', '.join(missing)}"
    return incompatible(path, name, [reason])


def other_gil(path: Any, name: str, function: str) -> IncompatiblePluginError:
    """Nothing would keep the calls of two interpreters apart."""
    reason = (
        f"another interpreter, with another GIL, has it open, and {function} is marked neither plugin_threadsafe nor "
        "plugin_blocking: calls of two interpreters could overlap in it"
    )
    return incompatible(path, name, [reason])


def incompatible(path: Any, name: str, differences: list[str]) -> IncompatiblePluginError:
    """The plugin is not what the host asks for; every difference is named."""
    message = opening(path, f"{name}: {'; '.join(differences)}")
    error = IncompatiblePluginError(codes.ENOEXEC, message, path, phase="read")
    error.differences = tuple(differences)
    return error


def would_wait(path: Any, name: str, raw: bytes) -> InitError:
    """Waiting for the plugin's init would never end."""
    error = InitError(codes.EDEADLK, opening(path, f"{name} is not initialised yet: {_text(raw)}"), path, phase="init")
    error.code = -1
    return error


def init_failed(path: Any, name: str, version: str | None, code: int, raw: bytes, before: bool) -> InitError:
    """PLUGIN_INIT reported a failure."""
    who = f"{name} {version}" if version else name
    again = " (previous failure)" if before else ""
    reason = f"init of {who} failed: {_text(raw)} [code {code}]{again}"
    error = InitError(None, opening(path, reason), path, phase="init")
    error.code = code
    return error


# ---------------------------------------------------------------- symbols and declarations


def symbol_not_found(name: str, plugin: str, path: str, raw: bytes, declared: bool) -> SymbolNotFoundError:
    """A lookup missed."""
    reason = _text(raw)
    sentence = f"plugin: symbol {brief(name)} not found in plugin {plugin} ({quote(path)})"
    if declared:
        sentence += ": it is declared, but not exported (is it hidden or static?)"
    if reason and "undefined symbol" not in reason:
        sentence += f": {reason}"
    return SymbolNotFoundError(sentence)


def declaration_refused(symbol: bytes, plugin: str, path: str, raw: bytes) -> DeclarationError:
    """A declaration cannot be used."""
    what = f"{_text(symbol)} of {plugin}" if symbol else f"declarations for {plugin}"
    reason = raw.decode("utf-8", "ignore")  # a long name in it may have been cut amid a character
    return DeclarationError(f"plugin: {what} ({quote(path)}): {reason}")


def type_mismatch(name: str, plugin: str, path: str, asserted: str, declared: str) -> SymbolTypeError:
    """A type assertion failed; both sides are shown."""
    return SymbolTypeError(
        f'plugin: {brief(name)} of {plugin} ({quote(path)}) is "{brief(declared)}", not "{brief(asserted)}"'
    )


def untyped(name: str, plugin: str, path: str) -> SymbolTypeError:
    """A symbol without a declaration was called or read."""
    return SymbolTypeError(
        f"plugin: {brief(name)} of {plugin} ({quote(path)}) has no declared type; "
        f'give it one: lookup("{name}", "double (double)") or declare("double {name}(double x);")'
    )


# ---------------------------------------------------------------- calls


def call_failed(function: str, plugin: str, version: str | None, code: int, raw: bytes) -> CallError:
    """A function filled in its plugin_error."""
    error = CallError(f"{_caller(function, plugin, version)}: {_text(raw)} [code {code}]")
    error.code = code
    return error


def null_result(function: str, plugin: str, version: str | None, out: str) -> CallError:
    """NULL where the declaration does not allow it."""
    what = f"gave NULL for {out}" if out else "returned NULL"
    return CallError(f"{_caller(function, plugin, version)}: {what}; only plugin_nullable makes that a None")


def null_method(function: str, plugin: str, version: str | None) -> CallError:
    """A method that the plugin left empty."""
    return CallError(f"{_caller(function, plugin, version)}: this object has no such method: the pointer is NULL")


def closed(owner: str, name: str | None, kind: str, parent: str) -> ClosedError:
    """A released object was used."""
    where = f"{owner}() argument '{name}'" if name else owner
    why = f"the {parent} that it came from was released" if parent else "it was released"
    return ClosedError(f"{where}: the {kind} is closed: {why}")
