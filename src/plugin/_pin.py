"""sha256=: the whole file must be the one that the caller knows, before anything of it is mapped."""

from __future__ import annotations

import hashlib
import os
import stat

from plugin import _errors, _plugin, _sentences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

_HEX = 64  # digits


def normal(sha256: str | bytes) -> str:
    """The digest in lower-case hexadecimal.

    Raises:
        TypeError, ValueError: it is no SHA-256: 64 hexadecimal digits, or 32 bytes.
    """
    if isinstance(sha256, (bytes, bytearray)):
        if len(sha256) != _HEX // 2:
            raise ValueError(f"plugin.open(): sha256 as bytes has {_HEX // 2} of them, not {len(sha256)}")
        return sha256.hex()
    if not isinstance(sha256, str):
        raise TypeError(f"plugin.open(): sha256 is str or bytes, not {type(sha256).__name__}")
    if len(sha256) != _HEX or not all(digit in "0123456789abcdefABCDEF" for digit in sha256):
        raise ValueError(f"plugin.open(): sha256 has {_HEX} hexadecimal digits; it is {_sentences.brief(repr(sha256))}")
    return sha256.lower()


class Pinned:
    """A file held open while it is compared and loaded, so that no other file can take its place unseen.

    Attributes:
        identity: as `_plugin.identify` gives it.
    """

    def __init__(self, path: bytes, shown: str | bytes) -> None:
        self.path = path
        self.shown = shown
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):  # stat first: the opening of a device can have effects
                _plugin.facts(path, shown)  # which refuses it in its own words
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except _errors.OpenError:
            raise
        except OSError as error:
            raise _sentences.file_refused(shown, "system", error.errno or 0, b"") from None
        self._status = os.fstat(self._descriptor)
        self.identity = _identity(self._status)

    def __enter__(self) -> Pinned:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: Any, traceback: TracebackType | None) -> None:
        os.close(self._descriptor)

    def compare(self, pin: str) -> None:
        """Raise InvalidPluginError unless the SHA-256 of the whole file is `pin`."""
        with os.fdopen(self._descriptor, "rb", 0, closefd=False) as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        self.unchanged()
        if found != pin:
            raise _sentences.other_sha256(self.shown, pin, found)

    def unchanged(self) -> None:
        """Raise StalePluginError unless the file is as it was, and still what stands at its path."""
        now = os.fstat(self._descriptor)
        try:
            there: tuple[int, int, int, int] | None = _plugin.identify(self.path)
        except OSError:
            there = None
        # ctime too: whoever writes can set mtime back, but not that.
        if (now.st_ctime_ns, _identity(now), there) != (self._status.st_ctime_ns, self.identity, self.identity):
            raise _sentences.changed_while_pinned(self.shown)


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
