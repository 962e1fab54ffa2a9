"""The digest: what `python -m plugin stamp` puts into a file, and what open and inspect make of it."""

import os
import pathlib
import shutil
import stat
import subprocess

import pytest
import support
from elf_driver import Driver, elf, header, record, source
from hosting import manifest, run_host

import plugin
from plugin import _cli, _stamp

__all__ = ["elf"]

ANSWER = "PLUGIN_FUNC(int, answer, (void)) { return 42; }"
LINKERS = {"bfd": [], "gold": ["-fuse-ld=gold"], "lld": ["-fuse-ld=lld"], "one segment": ["-Wl,-z,noseparate-code"]}
STRIPPERS = {
    "strip": "strip {0}",
    "strip all": "strip -s {0}",
    "strip debug": "strip --strip-debug {0}",
    "debug link": "objcopy --only-keep-debug {0} {1} && objcopy --strip-debug --add-gnu-debuglink={1} {0}",
    "compressed": "objcopy --compress-debug-sections {0}",
    "eu-strip": "eu-strip -f {1} {0}",
    "no sections": "eu-strip --strip-sections {0}",
    "llvm-strip": "llvm-strip {0}",
    "llvm no sections": "llvm-strip --strip-sections {0}",
}


@pytest.fixture
def stamped(build):
    """The path of a stamped plugin, which is not open."""
    path = build(manifest(ANSWER))
    _stamp.stamp(path)
    return path


def digest_place(path):
    """Where the two numbers of the digest record stand, bytes."""
    note = b"\7\0\0\0\x0a\0\0\0\x09\1\0\0plugin\0\0"
    data = pathlib.Path(path).read_bytes()
    assert 1 == data.count(note)
    return data.index(note) + len(note)


def header_place(path):
    """Where the first number of the header stands, bytes."""
    kind = b"\1\1\0\0plugin\0\0"
    data = pathlib.Path(path).read_bytes()
    assert 1 == data.count(kind)
    return data.index(kind) + len(kind)


def change(path, at, new):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(new)


def refusal(path):
    """What open and inspect say of a file that they must refuse, without the beginning."""
    said = set()
    for verb in (plugin.open, plugin.inspect):
        with pytest.raises(plugin.InvalidPluginError) as caught:
            verb(path)
        assert path == caught.value.path
        said.add(str(caught.value).partition("): ")[2])
    (reason,) = said
    return reason


class TestChecksum:
    """The checksum itself."""

    def test_value(self, elf: Driver):
        """It is the CRC-32C of RFC 3720, however it is computed."""
        assert [["e3069283"]] == elf.run("crc", "123456789")


class TestStamp:
    """What the verb does to the file."""

    def test_inspect(self, build):
        """A stamped file tells its digest, one that is not has None."""
        path = build(manifest(ANSWER))
        assert plugin.inspect(path).digest is None

        digest = _stamp.stamp(path)

        assert digest == plugin.inspect(path).digest
        assert 42 == plugin.open(path).lookup("answer")()

    def test_only_the_record(self, build):
        """Nothing changes but the two numbers of the record, and the bit of the header that tells of them."""
        path = build(manifest(ANSWER))
        before = pathlib.Path(path).read_bytes()
        digest = _stamp.stamp(path)
        after = pathlib.Path(path).read_bytes()
        place = digest_place(path)

        assert bytes(8) == before[place : place + 8]
        assert int(digest, 16).to_bytes(4, "little") + b"\1\0\0\0" == after[place : place + 8]
        told = header_place(path) + 1
        assert (0x80, 0) == (after[told], before[told])
        after = after[:told] + bytes(1) + after[told + 1 :]
        assert before == after[:place] + bytes(8) + after[place + 8 :]

    def test_again(self, stamped):
        """Stamping a stamped file does not touch it: an open plugin does not get stale."""
        p = plugin.open(stamped)

        _stamp.stamp(stamped)

        assert p is plugin.open(stamped)

    def test_open_meanwhile(self, build):
        """A host that has the file open goes on; through a link, too; permissions stay, and nothing lies beside it."""
        path = build(manifest(ANSWER))
        os.chmod(path, 0o640)
        p = plugin.open(path)
        names = os.listdir(os.path.dirname(path))
        os.symlink(path, f"{path}.link")
        _stamp.stamp(f"{path}.link")

        assert os.path.islink(f"{path}.link")
        assert 42 == p.lookup("answer")()
        with pytest.raises(plugin.StalePluginError):
            plugin.open(path)
        assert 0o640 == stat.S_IMODE(os.stat(path).st_mode)
        assert len(names) + 1 == len(os.listdir(os.path.dirname(path)))

    @pytest.mark.parametrize("suffix", [".c", ".cpp"])
    def test_build(self, tmp_path, monkeypatch, suffix):
        """`build --stamp` stamps what it makes; `build` does not."""
        monkeypatch.chdir(tmp_path)
        pathlib.Path("a" + suffix).write_text(manifest(ANSWER))

        assert 0 == _cli.main(["build", "a" + suffix, "-o", "plain.so"])
        assert 0 == _cli.main(["build", "a" + suffix, "-o", "stamped.so", "--stamp"])

        assert plugin.inspect("plain.so").digest is None
        assert plugin.inspect("stamped.so").digest is not None

    def test_command(self, build, capsys):
        """The command takes several files, and `inspect` shows the digest."""
        paths = [build(manifest(ANSWER)), build(manifest(ANSWER))]

        assert 0 == _cli.main(["stamp", *paths])
        assert 0 == _cli.main(["inspect", paths[1]])
        assert f"digest:   {plugin.inspect(paths[1]).digest}\n" in capsys.readouterr().out


class TestNoRoom:
    """Files that cannot be stamped: what is missing is said, and the file is left alone."""

    def test_no_manifest(self, build, capsys):
        """A library without a manifest."""
        path = build("int x;")
        before = os.stat(path)

        assert 1 == _cli.main(["stamp", path])
        said = capsys.readouterr().err
        assert said.startswith(f'plugin stamp: plugin.stamp("{path}"): there is no manifest')
        assert (before.st_ino, before.st_mtime_ns) == (os.stat(path).st_ino, os.stat(path).st_mtime_ns)

    def test_older_header(self, build, capsys):
        """A plugin whose records were written before there were digests, or by other means."""
        assert 1 == _cli.main(["stamp", build(source(header()))])
        said = capsys.readouterr().err
        assert all(part in said for part in ("no room for a digest", "plugin.h", "0x109"))

    @pytest.mark.parametrize(("name", "said"), [("none.so", "No such file"), (".", "directory"), ("text", "text file")])
    def test_other_things(self, name, said, tmp_path, monkeypatch, capsys):
        """What is no library at all."""
        monkeypatch.chdir(tmp_path)
        pathlib.Path("text").write_text("text\n")

        assert 1 == _cli.main(["stamp", name])
        assert said in capsys.readouterr().err

    def test_folder_read_only(self, build):
        """A folder that may not be written: the system's words, and the file as it was."""
        path = build(manifest(ANSWER))
        os.chmod(os.path.dirname(path), 0o555)
        script = """
import os, sys
from plugin import _cli, _stamp
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.stderr = sys.stdout
print(_cli.main(["stamp", sys.argv[1]]))
"""
        try:
            said = run_host(script, path)
        finally:
            os.chmod(os.path.dirname(path), 0o755)
        assert "Permission denied" in said
        assert said.endswith("\n1\n")


class TestSurvives:
    """What may happen to a stamped file."""

    @pytest.mark.parametrize("linker", LINKERS)
    @pytest.mark.parametrize("stripper", STRIPPERS)
    def test_strip(self, build, linker, stripper, tmp_path):
        """Every way to strip, of every linker's output, leaves the digest right."""
        command = STRIPPERS[stripper]
        support.need(
            command.split()[0], *(flag.replace("-fuse-ld=", "ld.") for flag in LINKERS[linker] if "ld=" in flag)
        )
        path = build(manifest(ANSWER), "-g", "-Wl,--build-id", *LINKERS[linker])
        _stamp.stamp(path)
        before = pathlib.Path(path).read_bytes()
        subprocess.run(command.format(path, tmp_path / "debug"), shell=True, check=True, capture_output=True)

        assert before != pathlib.Path(path).read_bytes()
        assert plugin.inspect(path).digest is not None

    def test_build_id(self, build):
        """A new build-id, as packagers write it, changes nothing."""
        path = build(manifest(ANSWER), "-Wl,--build-id=sha1")
        _stamp.stamp(path)
        old = bytes.fromhex(plugin.inspect(path).build_id or "")
        place = pathlib.Path(path).read_bytes().index(old)
        change(path, place, b"\7" * len(old))

        assert "07" * len(old) == plugin.inspect(path).build_id


class TestFinds:
    """What it finds: changes that no look at the structure finds."""

    def test_patchelf(self, stamped):
        """After patchelf the error says that stamping comes last; stamped anew the file opens."""
        support.need("patchelf")
        support.run("patchelf", "--set-rpath", "/nowhere", stamped)

        reason = refusal(stamped)

        assert "patchelf" in reason
        assert "`python -m plugin stamp` comes last" in reason
        assert _stamp.stamp(stamped) in reason
        assert 42 == plugin.open(stamped).lookup("answer")()

    def test_code(self, build):
        """A changed bit in code, data or text is found."""
        words = b"some text of the plugin"
        path = build(manifest(f'PLUGIN_FUNC(const char *, text, (void)) {{ return "{words.decode()}"; }}'))
        _stamp.stamp(path)
        place = pathlib.Path(path).read_bytes().index(words)
        change(path, place, b"S")
        assert "digest" in refusal(path)

        change(path, place, b"s")
        assert words.decode() == plugin.open(path).lookup("text")()

    @pytest.mark.parametrize(
        ("new", "said"),
        [(b"\0", "not stamped, but has a value"), (b"\3", "unknown kind of digest 3")],
    )
    def test_state(self, stamped, new, said):
        """The record's own damage is found: a digest does not get lost by one bit."""
        change(stamped, digest_place(stamped) + 4, new)

        with pytest.raises(plugin.OpenError) as caught:
            plugin.open(stamped)
        assert said in str(caught.value)

    def test_value(self, stamped):
        """A damaged digest is not believed."""
        change(stamped, digest_place(stamped), b"\0\0\0\0")

        assert "but 00000000 was stamped" in refusal(stamped)

    def test_two(self, elf: Driver, build):
        """Equal rooms count once, different ones refuse the file."""
        room, other = (record(support.DIGEST, b"", b"", 0, state) for state in (0, 1))

        assert "OK" == elf.read(build(source(header(), room, room))).status
        assert "several digest records" in elf.read(build(source(header(), room, other))).reason

    def test_large(self, build, tmp_path):
        """A file of several megabytes is read to its end, in pieces of whatever size."""
        path = build(manifest(ANSWER + " PLUGIN_VAR(char, filler, [3000017]) = {1};"))
        _stamp.stamp(path)
        size = os.path.getsize(path)
        shutil.copy(path, tmp_path / "copy.so")

        for part in (5, 2, 1.1):
            change(path, int(size / part), b"\1")
            assert "digest" in refusal(path)
            shutil.copy(tmp_path / "copy.so", path)
        assert 42 == plugin.open(path).lookup("answer")()
