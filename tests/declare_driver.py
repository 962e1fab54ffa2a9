"""The C program of tests/native/declare_driver.c, which plays the declaration parser without Python."""

import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
import support
from elf_driver import FLAGS, PARTS, TIMEOUT, Driver

SOURCES = [
    support.TESTS / "native" / "declare_driver.c",
    *(
        PARTS / f"{name}.c"
        for name in "lex type specify rules declare entry naming pattern scope declared hosted key".split()
    ),
]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


class Record(NamedTuple):
    """One record of a plugin that is played."""

    kind: int
    name: str
    text: str
    size: int = 0
    align: int = 0


class Parser:
    """The compiled program; each method plays one scope, in a process of its own."""

    def __init__(self, folder: Path, sanitize: bool = True) -> None:
        self.program = folder / "declare"
        flags = SANITIZE if sanitize else []
        if sanitize:
            Driver.require(folder, flags)
        support.run(*support.compiler_command(), *FLAGS, *flags, "-I", PARTS, *SOURCES, "-o", self.program)

    def play(
        self, *commands: tuple[str, str] | tuple[str, str, int], records: tuple[Record, ...] = ()
    ) -> list[list[str]]:
        """The answers to the commands (letter, text, times); AssertionError if the program crashes or complains.

        An answer is a status ("ok", "no", "none", "lost", "changed") and two fields.
        """
        data = b""
        for record in records:
            text = record.text.encode()
            head = f"R {record.kind:x} {record.size} {record.align} {len(text)} {record.name}\n"
            data += head.encode() + text
        for letter, words, *times in commands:
            text = words.encode()
            data += f"{letter} {times[0] if times else 1} {len(text)}\n".encode() + text
        done = subprocess.run([str(self.program)], input=data, capture_output=True, timeout=TIMEOUT)
        assert (0, "") == (done.returncode, done.stderr.decode(errors="replace"))
        return [line.split("\t") for line in done.stdout.decode(errors="replace").split("\n")[:-1]]

    def spell(self, text: str, before: str = "") -> str:
        """A type as it is spelled; it must be spelled the same when that is read again."""
        *_, (status, bare, full) = self.play(("d", before), ("t", text))
        assert "ok" == status, f"{bare} / {full}"
        return full

    def refuse(self, text: str, before: str = "") -> str:
        """The reason why a text is refused."""
        (first, why, _), (status, reason, _) = self.play(("d", before), ("d", text))
        assert "ok" == first, why
        assert "no" == status, "it was accepted"
        return reason

    def find(self, name: str, *records: Record) -> list[str]:
        """What the records of a plugin say of a name: status, and its spelling or the reason."""
        return self.play(("f", name), records=records)[0][:2]


@pytest.fixture(scope="session")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Parser:
    """The program under the address and undefined-behaviour sanitizers."""
    return Parser(tmp_path_factory.mktemp("declare"))
