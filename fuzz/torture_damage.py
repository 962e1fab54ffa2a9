"""What can happen to a library's file: the cases of torture.py, the same ones each time."""

import random
import struct
from collections.abc import Iterator
from typing import NamedTuple

from torture_fields import Library

FLIPS = 2500  # random bits of what is mapped, a library
BLOCK, PAGE = 512, 4096  # bytes
HTML = b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body>Try again.</body></html>\n"


class Case(NamedTuple):
    """One damaged file: the kind of damage, what exactly, and the bytes `new` at `at`; if that is None, all of them."""

    kind: str
    detail: str
    at: int | None
    new: bytes

    def apply(self, data: bytes) -> bytes:
        """The damaged file."""
        return self.new if self.at is None else data[: self.at] + self.new + data[self.at + len(self.new) :]


def cases(data: bytes, *, every_cut: bool) -> Iterator[Case]:
    """All cases of one library; cut at every byte, or at every sixteenth."""
    yield Case("none", "the library itself", 0, b"")
    yield from cuts(data, 1 if every_cut else 16)
    yield from numbers(data)
    yield from bits(data)
    yield from accidents(data)


def cuts(data: bytes, step: int) -> Iterator[Case]:
    """The end of the file is missing."""
    for size in range(0, len(data), step):
        yield Case("cut off", f"at {size}", None, data[:size])


def _values(old: int, size: int, length: int) -> set[int]:
    """Numbers that programs stumble over, and those near the right one."""
    top = 1 << 8 * size
    extreme = {0, 1, 2, 0x7F, 0xFF, top - 1, top - 2, top >> 1, (top >> 1) - 1, 0x1000, length, length - 1, length + 1}
    near = {
        old + 1,
        old - 1,
        old + 8,
        old - 8,
        old + 0x1000,
        old - 0x1000,
        2 * old,
        old // 2,
        old ^ top >> 1,
        old ^ 0x10,
    }
    swapped = int.from_bytes(old.to_bytes(size, "little"), "big")
    return {value % top for value in extreme | near | {swapped}} - {old}


def numbers(data: bytes) -> Iterator[Case]:
    """A number of a header or table is another one."""
    for field in Library(data).fields():
        old = int.from_bytes(data[field.offset : field.offset + field.size], "little")
        values = sorted(_values(old, field.size, len(data)))
        if field.name.startswith("byte@"):
            values = sorted({0, old ^ 1, old ^ 0x80, 0xFF} - {old})
        for value in values:
            yield Case(field.kind, f"{field.name} = {value:#x}", field.offset, value.to_bytes(field.size, "little"))


def bits(data: bytes) -> Iterator[Case]:
    """A bit of what is mapped is the other one."""
    dice = random.Random(1)
    places = [place for offset, size in Library(data).mapped() for place in range(offset, offset + size)]
    for place in dice.choices(places, k=FLIPS):
        bit = dice.randrange(8)
        yield Case("bits", f"bit {bit} at {place}", place, bytes([data[place] ^ 1 << bit]))


def accidents(data: bytes) -> Iterator[Case]:
    """What disks, networks, editors and people do."""
    for size in (BLOCK, PAGE):
        for at in range(0, len(data), size):
            hole = min(size, len(data) - at)
            yield Case("zeroed blocks", f"{size} at {at}", at, bytes(hole))
            yield Case("zeroed blocks", f"from {at} on", at, bytes(len(data) - at))
            yield Case("erased blocks", f"{size} at {at}", at, b"\xff" * hole)
    yield from _moved(data)
    yield from _converted(data)
    yield from _downloads(data)
    for machine in (3, 8, 20, 21, 22, 40, 183, 243, 258, 0xFFFF):
        yield Case("other machine", str(machine), 18, struct.pack("<H", machine))
    for at, new in ((4, b"\1"), (5, b"\2"), (6, b"\2"), (7, b"\x09"), (16, b"\1\0"), (16, b"\2\0"), (16, b"\4\0")):
        yield Case("other machine", f"{new!r} at {at}", at, new)


def _moved(data: bytes) -> Iterator[Case]:
    dice = random.Random(2)
    for size in (BLOCK, PAGE):
        blocks = [data[at : at + size] for at in range(0, len(data), size)]
        for one in range(len(blocks)):
            for other in range(one):
                swapped = blocks.copy()
                swapped[one], swapped[other] = swapped[other], swapped[one]
                yield Case("swapped blocks", f"{size}: {other} and {one}", None, b"".join(swapped))
            doubled = [*blocks[:one], blocks[one - 1], *blocks[one + 1 :]]
            yield Case("swapped blocks", f"{size}: {one} is the one before", None, b"".join(doubled))
    for _ in range(200):
        place = dice.randrange(len(data))
        yield Case("shifted", f"a byte more at {place}", None, data[:place] + b"\n" + data[place:])
        yield Case("shifted", f"a byte less at {place}", None, data[:place] + data[place + 1 :])


def _converted(data: bytes) -> Iterator[Case]:
    """By transfers in text mode, editors and the like."""
    for name, new in (
        ("LF to CRLF", data.replace(b"\n", b"\r\n")),
        ("CRLF to LF", data.replace(b"\r\n", b"\n")),
        ("CR to LF", data.replace(b"\r", b"\n")),
        ("no CR", data.replace(b"\r", b"")),
        ("seven bits", bytes(byte & 0x7F for byte in data)),
        ("to UTF-8", data.decode("latin-1").encode("utf-8")),
        ("not UTF-8 lost", data.decode("utf-8", "replace").encode("utf-8")),
        ("byte order mark", b"\xef\xbb\xbf" + data),
        ("no NULs", data.replace(b"\0", b"")),
        ("NULs to blanks", data.replace(b"\0", b" ")),
        ("swapped in pairs", bytes(data[i ^ 1] for i in range(len(data) & ~1))),
        ("hexadecimal", data.hex().encode()),
        ("up to control-Z", data.partition(b"\x1a")[0]),
        ("reversed", data[::-1]),
    ):
        if new != data:
            yield Case("converted", name, None, new)


def _downloads(data: bytes) -> Iterator[Case]:
    for at in range(0, len(data), 128):
        yield Case("downloads", f"an error page from {at} on", None, data[:at] + HTML)
        yield Case("downloads", f"an error page over {at}", at, HTML[: len(data) - at])
        yield Case("downloads", f"begun again at {at}", None, (data[:at] + data)[: len(data)])
    yield Case("downloads", "an error page in front", None, HTML + data)
    yield Case("downloads", "the first half twice", None, data[: len(data) // 2] * 2)
