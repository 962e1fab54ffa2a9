"""Damaged libraries, by the tool of `make torture`: a few thousand of its cases, and whether it would notice."""

import os
import struct
import subprocess
import sys

import pytest
import support

FUZZ = support.TESTS.parent / "fuzz"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (FUZZ / "torture.py").exists(), reason="the tool is not here"),
    pytest.mark.skipif(struct.calcsize("P") != 8 or sys.byteorder != "little", reason="it damages 64-bit files"),
    pytest.mark.skipif(
        "asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer ends what only the case may end"
    ),
]


def torture(*words: object) -> subprocess.CompletedProcess[str]:
    """A run of the tool, which must have worked, whatever it found."""
    command = [sys.executable, str(FUZZ / "torture.py"), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode in (0, 1), done.stderr
    assert (done.returncode == 1) == ("missed: " in done.stdout), done.stdout
    return done


def numbers(text: str, table: str) -> dict[str, dict[str, str]]:
    """A table of the output: kind of damage, then column."""
    lines = next(part for part in text.split("\n\n") if part.startswith(table)).splitlines()
    columns = [word.strip() for word in lines[0].split("  ") if word][1:]
    return {line[:16].strip(): dict(zip(columns, line[16:].split(), strict=True)) for line in lines[1:]}


class TestTorture:
    """Every hundredth case."""

    def test_targets(self):
        """Stamped libraries never crash the process, truncated ones are refused, all exceptions are known ones."""
        said = torture("--every", 101, "--ctypes", 0).stdout
        stamped, plain = numbers(said, "stamped"), numbers(said, "not stamped")

        assert [".", ".", "."] == [stamped["all"][name] for name in ("crash", "hang", "foreign")], said
        assert [".", "."] == [plain["all"][name] for name in ("hang", "foreign")], said
        for table in (stamped, plain):
            assert table["cut off"]["cases"] == table["cut off"]["refused"]
            assert table["none"]["cases"] == table["none"]["worked"]
        assert int(stamped["all"]["cases"]) + int(plain["all"]["cases"]) > 1500

    def test_notices(self, tmp_path):
        """It sees what ctypes lets happen: crashes are counted, not suffered."""
        said = torture("--every", 301, "--ctypes", 1, "--jobs", 1, "--bad", tmp_path / "bad").stdout
        stamped = numbers(said, "stamped")

        assert float(stamped["cut off"]["crash, hang"].rstrip("%")) > 20
        assert (tmp_path / "bad").exists()
