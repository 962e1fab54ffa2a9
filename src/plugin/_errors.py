"""The exceptions.  Their sentences are written in _sentences.py."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class PluginError(Exception):
    """Anything that goes wrong with a plugin."""


class OpenError(PluginError, OSError):
    """A plugin could not be opened.

    Attributes:
        path: the path as the caller wrote it.
        phase: how far it came: "find", "read", "load" or "init".
    """

    def __init__(self, errno: int | None, message: str, path: Any = None, *, phase: str = "find") -> None:
        super().__init__(errno, message)
        self.path = path
        self.phase = phase

    def __str__(self) -> str:
        return str(self.strerror)


class PluginNotFoundError(OpenError, FileNotFoundError):
    """There is no such file."""


class InvalidPluginError(OpenError):
    """The file, or a record in it, cannot be understood."""


class IncompatiblePluginError(OpenError):
    """The file is sound, but made for another machine or another version of the interface.

    Attributes:
        differences: every difference, a sentence each.
    """

    differences: tuple[str, ...] = ()


class AlreadyLoadedError(OpenError):
    """Another file with the same plugin name is open.

    Attributes:
        first_path: the real path of that file.
    """

    first_path: str = ""


class StalePluginError(OpenError):
    """The file changed since it was opened, and the old code is what runs."""


class InitError(OpenError):
    """The plugin's own PLUGIN_INIT failed, now or when it was first opened.

    Attributes:
        code: the plugin's code, positive; negative where plugin itself failed it.
    """

    code: int = 0


class SymbolNotFoundError(PluginError, LookupError):
    """The plugin has no such symbol of its own."""


class SymbolTypeError(PluginError, TypeError):
    """The asserted type differs from the declared one, or an untyped symbol was used."""


class DeclarationError(PluginError, ValueError):
    """A C declaration cannot be understood, called or laid out, or contradicts another one."""


class CallError(PluginError, RuntimeError):
    """A function of a plugin reported a failure.

    Attributes:
        code: the plugin's code, positive; 0 where plugin itself refused a result.
    """

    code: int = 0


class ClosedError(PluginError, ValueError):
    """The object was released, or what it was borrowed from."""
