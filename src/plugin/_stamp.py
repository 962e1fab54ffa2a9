"""The `stamp` verb: put the digest into a plugin's file."""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import tempfile
from typing import BinaryIO

from plugin import _errors, _plugin, _sentences

_NO_MANIFEST = "there is no manifest to put a digest into: only a library with PLUGIN(name, version) can be stamped"
_NO_ROOM = (
    "its manifest has no room for a digest: compile it with this version of plugin.h, or, where the records are written"
    " by hand, add one of kind 0x109 (docs/manifest.md)"
)


def stamp(path: str | os.PathLike[str]) -> str:
    """The digest, in hexadecimal, that stands in the plugin at `path` from now on.

    The file is replaced by a rename, so that a host that has the old one open goes on with it; it is left alone if
    this digest stands in it already.  Permissions are kept.  A symbolic link stays one.

    Raises:
        PluginError: the file is no plugin, or has no room for a digest.
        OSError: it could not be replaced; it is as it was.
    """
    shown = os.fspath(path)
    real = os.path.realpath(shown)
    manifest, stamped, value, places, *_ = _digest(real, shown)
    if not manifest or not places:
        reason = _sentences.opening(shown, _NO_ROOM if manifest else _NO_MANIFEST, "stamp")
        raise _errors.InvalidPluginError(None, reason, shown, phase="read")
    if not (stamped and _holds(real)):
        value = _replace(real, shown)
    return f"{value:08x}"


def _digest(real: str, shown: str) -> tuple[bool, bool, int, list[int], int, list[int]]:
    try:
        return _plugin.digest(os.fsencode(real), shown)
    except _errors.OpenError as error:
        raise _sentences.inspecting(error, "", "stamp") from None


def _holds(real: str) -> bool:
    """Whether the file is one that open would accept, its digest included."""
    try:
        _plugin.facts(os.fsencode(real), real)
    except _errors.OpenError:
        return False
    return True


def _replace(real: str, shown: str) -> int:
    """Write beside the file, check what was written, and only then put it in place; the digest."""
    folder, name = os.path.split(real)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    try:
        with open(descriptor, "wb") as copy, open(real, "rb") as source:
            shutil.copyfileobj(source, copy)
            _, _, _, _, header, headers = _digest(real, shown)
            _write(copy, headers, struct.pack("=I", header))
            _, _, value, places, _, _ = _digest(temporary, shown)
            _write(copy, places, struct.pack("=II", value, 1))
            os.fsync(copy.fileno())
        if not _holds(temporary):
            raise _errors.OpenError(None, _sentences.opening(shown, "the file changed meanwhile", "stamp"), shown)
        _keep_owner(real, temporary)
        os.replace(temporary, real)
        return value
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _write(copy: BinaryIO, places: list[int], content: bytes) -> None:
    for place in places:
        copy.seek(place)
        copy.write(content)
    copy.flush()


def _keep_owner(real: str, temporary: str) -> None:
    """Give the copy the permissions of the file, and its owner if this process may."""
    status = os.stat(real)
    with contextlib.suppress(PermissionError):
        os.chown(temporary, status.st_uid, status.st_gid)
    shutil.copymode(real, temporary)
