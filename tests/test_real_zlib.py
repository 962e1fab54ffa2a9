"""The system's libz: buffers in and out, compared with Python's own zlib module."""

import array
import pathlib
import sysconfig
import zlib

import natives
import pytest

import plugin

DECLARATIONS = """
    typedef unsigned char Bytef; typedef unsigned int uInt; typedef unsigned long uLong; typedef uLong uLongf;
    const char *zlibVersion(void);
    uLong compressBound(uLong sourceLen);
    int compress2(Bytef *dest plugin_count(*destLen), uLongf *destLen plugin_inout,
                  const Bytef *source plugin_count(sourceLen), uLong sourceLen, int level);
    int uncompress(Bytef *dest plugin_count(*destLen), uLongf *destLen plugin_inout,
                   const Bytef *source plugin_count(sourceLen), uLong sourceLen);
    uLong crc32(uLong crc, const Bytef *buf plugin_count(len) plugin_nullable, uInt len);
    uLong adler32(uLong adler, const Bytef *buf plugin_count(len) plugin_nullable, uInt len);
    uLong crc32_combine(uLong first, uLong second, long length);
    const char *zError(int code);
"""
OK, BUFFER_ERROR, DATA_ERROR = 0, -5, -3


@pytest.fixture(scope="module")
def libz():
    """The plugin of the system's libz."""
    return plugin.open(natives.system("z"), declare=DECLARATIONS)


@pytest.fixture(scope="module")
def data():
    """Real data: the text of Python's own library, at least 1 MB of it."""
    folder = pathlib.Path(sysconfig.get_path("stdlib"))
    text = b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))
    assert len(text) > 1_000_000
    return text


def compress(libz, data, level=6):
    """The compressed bytes, through compress2."""
    room = bytearray(libz.lookup("compressBound")(len(data)))
    code, used = libz.lookup("compress2")(room, data, level)
    assert code == OK
    return bytes(room[:used])


class TestCompress:
    """compress2 and uncompress."""

    @pytest.mark.parametrize("level", [0, 1, 6, 9])
    def test_compress(self, libz, data, level):
        """Python's zlib restores what compress2 made: the very bytes that Python makes, where both are one version."""
        compressed = compress(libz, data, level)

        assert data == zlib.decompress(compressed)
        # Blocks that are merely stored (level 0) are cut where the output buffer ends.
        if level > 0 and zlib.ZLIB_RUNTIME_VERSION == libz.lookup("zlibVersion")():
            assert zlib.compress(data, level) == compressed

    def test_uncompress(self, libz, data):
        """uncompress restores what Python's zlib made: room goes in, the length that was used comes out."""
        room = bytearray(len(data) + 100)
        code, used = libz.lookup("uncompress")(room, zlib.compress(data))

        assert (code, used) == (OK, len(data))
        assert data == room[:used]
        assert bytes(100) == room[used:]

    def test_nothing(self, libz):
        """No bytes are compressed, and restored, too."""
        room = bytearray(8)

        assert libz.lookup("uncompress")(room, compress(libz, b"")) == (OK, 0)

    def test_no_room(self, libz, data):
        """The room that the buffer tells is the room that is used: one byte less than needed is refused by zlib."""
        room = bytearray(len(data) - 1)

        assert BUFFER_ERROR == libz.lookup("uncompress")(room, zlib.compress(data))[0]

    def test_not_compressed(self, libz):
        """Bytes that are no zlib stream give zlib's own code and its text."""
        code = libz.lookup("uncompress")(bytearray(10), b"not compressed")[0]

        assert DATA_ERROR == code
        assert "data error" in libz.lookup("zError")(code)

    def test_other_buffers(self, libz):
        """array and memoryview of bytes do as well as bytes, and a slice is read where it begins."""
        np = pytest.importorskip("numpy")
        text = b"a text of some length " * 20
        expected = zlib.decompress(compress(libz, text[22:]))

        for same in (array.array("B", text), memoryview(text), np.frombuffer(text, np.uint8)):
            assert expected == zlib.decompress(compress(libz, same[22:]))


class TestChecksums:
    """crc32 and adler32."""

    @pytest.mark.parametrize("name", ["crc32", "adler32"])
    def test_checksum(self, libz, data, name):
        """A checksum of real data is Python's, 32 unsigned bits, at once and in pieces."""
        function, expected = libz.lookup(name), getattr(zlib, name)
        begun = function(0, None)

        assert expected(data) == function(begun, data)
        assert expected(data) == function(function(begun, data[:1000]), data[1000:])
        assert expected(b"") == begun

    def test_large_values(self, libz):
        """A checksum with its top bit set goes in and comes out as it is."""
        values = [bytes([n]) for n in range(256) if zlib.crc32(bytes([n])) >= 2**31]

        assert len(values) > 100
        assert [zlib.crc32(b"tail", zlib.crc32(v)) for v in values] == [
            libz.lookup("crc32")(zlib.crc32(v), b"tail") for v in values
        ]

    def test_combine(self, libz, data):
        """crc32_combine joins two checksums by the length of the second part."""
        a, b = data[:12345], data[12345:]

        assert zlib.crc32(data) == libz.lookup("crc32_combine")(zlib.crc32(a), zlib.crc32(b), len(b))


class TestWrongBuffers:
    """What zlib must not be given."""

    @pytest.mark.parametrize(
        ("dest", "source", "error", "words"),
        [
            (bytes(100), b"x", TypeError, ["'dest'", "read-only"]),
            (bytearray(100), "text", TypeError, ["'source'", "str"]),
            (bytearray(100), None, TypeError, ["'source'", "None"]),
            (100, b"x", TypeError, ["'dest'", "int"]),
            (array.array("I", [0] * 9), b"x", TypeError, ["'dest'", "unsigned char"]),
            (array.array("b", [0] * 9), b"x", TypeError, ["'dest'", "unsigned char"]),
            (bytearray(100), array.array("d", [1.0]), TypeError, ["'source'", "unsigned char"]),
            (memoryview(bytearray(100))[::2], b"x", ValueError, ["'dest'", "C-contiguous"]),
            (memoryview(bytearray(100)).cast("B", (10, 10)), b"x", ValueError, ["'dest'", "dimension"]),
        ],
    )
    def test_refused(self, libz, dest, source, error, words):
        """A buffer of the wrong kind is refused, naming function, argument and reason."""
        with pytest.raises(error) as caught:
            libz.lookup("compress2")(dest, source, 6)

        for word in ["compress2", *words]:
            assert word in str(caught.value)

    def test_released(self, libz):
        """After calls that worked and calls that failed, a bytearray can be resized: no buffer is still held."""
        room = bytearray(100)
        libz.lookup("compress2")(room, b"x", 6)
        with pytest.raises(TypeError):
            libz.lookup("compress2")(room, "x", 6)
        with pytest.raises(OverflowError):
            libz.lookup("compress2")(room, b"x", 2**31)
        room.append(1)

        assert 101 == len(room)
