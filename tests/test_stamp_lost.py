"""A digest that got lost: the header of a stamped plugin tells that there was one."""

import os
import pathlib
import struct

import pytest
import support
from elf_driver import header, record, source
from hosting import manifest, unique
from test_stamp import ANSWER, change, digest_place, header_place, refusal, stamped

import plugin
from plugin import _plugin, _stamp

__all__ = ["stamped"]


class TestLost:
    """Damage of the record itself."""

    @pytest.mark.parametrize("part", [(0, b"\6"), (4, b"\x0b"), (8, b"\x49"), (12, b"P"), (4, b"\xff\xff\xff")])
    def test_lost(self, stamped, part):
        """A digest whose record cannot be told as one any more is missed: its header tells that there was one."""
        at, new = part
        change(stamped, digest_place(stamped) - 20 + at, new)

        with pytest.raises(plugin.InvalidPluginError):
            plugin.open(stamped)
        with pytest.raises(plugin.InvalidPluginError):
            plugin.inspect(stamped)

    def test_lost_whole(self, stamped):
        """So is one that was wiped out, which is told as such; its header's own bit does not get lost either."""
        change(stamped, digest_place(stamped), bytes(8))
        assert "a digest was stamped, and is not there" in refusal(stamped)
        _stamp.stamp(stamped)
        change(stamped, header_place(stamped) + 1, b"\0")

        assert "digest" in refusal(stamped)


class TestTold:
    """The bit of the header."""

    def test_before_it_was_told(self, build):
        """A file that is stamped without that bit, as older versions did it, opens, and is stamped anew with it."""
        path = build(manifest(ANSWER))
        value = _plugin.digest(os.fsencode(path), path)[2]
        change(path, digest_place(path), struct.pack("=II", value, 1))
        assert f"{value:08x}" == plugin.inspect(path).digest

        assert _stamp.stamp(path) == plugin.inspect(path).digest != f"{value:08x}"
        assert (1, 0) == plugin.inspect(path).abi

    def test_two_headers(self, build):
        """Where equal headers stand both tell of it."""
        head = header(unique().encode())
        path = build(source(head, record(support.DIGEST, b"", b""), head))

        assert _stamp.stamp(path) == plugin.inspect(path).digest
        assert 2 == pathlib.Path(path).read_bytes().count(b"\1\1\0\0plugin\0\0\0\x80\1\0")

    def test_two_rooms_stamped(self, build):
        """Where there are two rooms both are filled."""
        room = record(support.DIGEST, b"", b"")
        path = build(source(header(unique().encode()), room, room))

        assert _stamp.stamp(path) == plugin.inspect(path).digest
