"""Strings in and out: text, bytes, NULL, and who releases them."""

import threading

import natives
import pytest

import plugin

SOURCE = """
#include <plugin.h>
#include <stdlib.h>
#include <string.h>
PLUGIN("strings/one", "1.0");
static char kept[256];
static int NULLS;
static __thread int live;
PLUGIN_FUNC(size_t, keep, (const char *text)) { strcpy(kept, text); return strlen(text); }
PLUGIN_FUNC(const char *, kept_text, (void)) { return kept; }
PLUGIN_FUNC(plugin_bytes const char *, kept_bytes, (void)) { return kept; }
PLUGIN_FUNC(size_t, keep_bytes, (plugin_bytes const char *data)) { strcpy(kept, data); return strlen(data); }
PLUGIN_FUNC(size_t, keep_after, (const char *data plugin_bytes)) { strcpy(kept, data); return strlen(data); }
PLUGIN_FUNC(int, is_null, (const char *text plugin_nullable)) { return text == NULL; }
PLUGIN_FUNC(const char *, null, (void)) { NULLS++; return NULL; }
PLUGIN_FUNC(plugin_nullable const char *, maybe, (bool there)) { return there ? "there" : NULL; }
PLUGIN_FUNC(plugin_nullable plugin_bytes const char *, maybe_bytes, (bool there)) { return there ? "there" : NULL; }
PLUGIN_FUNC(void, split,
            (const char *text, const char **first plugin_out, const char **rest plugin_out plugin_nullable))
{
    *first = text;
    *rest = strchr(text, ' ');
}
PLUGIN_FUNC(void, null_out, (const char **text plugin_out)) { *text = NULL; }
PLUGIN_FUNC(plugin_owned char *, own, (const char *text)) { return strdup(text); }
PLUGIN_FUNC(void, counted_free, (void *p)) { live--; free(p); }
PLUGIN_FUNC(plugin_free(counted_free) char *, counted, (const char *text)) { live++; return strdup(text); }
PLUGIN_FUNC(plugin_free(counted_free) plugin_bytes char *, counted_bytes, (const char *text))
{
    live++;
    return strdup(text);
}
PLUGIN_FUNC(plugin_free(counted_free) plugin_nullable char *, counted_maybe, (bool there))
{
    live += there;
    return there ? strdup("there") : NULL;
}
PLUGIN_FUNC(plugin_free(counted_free) char *, counted_fails, (plugin_error *error))
{
    live++;
    plugin_fail(error, 7, "failed after it was made");
    return strdup("lost");
}
PLUGIN_FUNC(plugin_free(counted_free) char *, counted_and_bad, (const char **bad plugin_out))
{
    live++;
    *bad = "\\xff";
    return strdup("good");
}
PLUGIN_FUNC(int, live_count, (void)) { return live; }
static char last[1 << 20];
PLUGIN_FUNC(const char *, fill, (char letter)) { memset(last, letter, sizeof last - 1); return last; }
PLUGIN_FUNC(void, fill_out, (char letter, const char **text plugin_out)) { *text = fill(letter); }
"""


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    """The plugin of this file."""
    return plugin.open(natives.compiled(tmp_path_factory, SOURCE))


@pytest.fixture
def live(p):
    """A function that counts the strings that were made and not released."""
    count = p.lookup("live_count")
    assert count() == 0
    return count


class TestArguments:
    """`const char *` parameters."""

    @pytest.mark.parametrize("text", ["", "plain", "äöü 世界 🐍 \U0010ffff", "\x01\x7f\n"])
    def test_text(self, p, text):
        """A str arrives as UTF-8, bytes as they are, and both come back as the same str."""
        keep, kept = p.lookup("keep"), p.lookup("kept_text")

        assert len(text.encode()) == keep(text)
        assert text == kept()
        assert len(text.encode()) == keep(text.encode())
        assert text == kept()

    @pytest.mark.parametrize("value", ["a\0b", "\0", b"a\0", b"\0b"])
    @pytest.mark.parametrize("name", ["keep", "is_null"])
    def test_embedded_null(self, p, name, value):
        """A NUL within is a ValueError that names the argument: C would see half of it."""
        with pytest.raises(ValueError) as caught:
            p.lookup(name)(value)

        assert f"{name}()" in str(caught.value)
        assert "'text'" in str(caught.value)
        assert "null" in str(caught.value)

    @pytest.mark.parametrize("value", ["\ud800", "a\udcffb"])
    def test_surrogate(self, p, value):
        """A lone surrogate is a ValueError that names the argument; no other text takes its place."""
        p.lookup("keep")("before")
        with pytest.raises(ValueError) as caught:
            p.lookup("keep")(value)

        assert "'text'" in str(caught.value)
        assert "surrogate" in str(caught.value)
        assert p.lookup("kept_text")() == "before"

    @pytest.mark.parametrize("value", [None, 1, bytearray(b"x"), memoryview(b"x"), ["x"], object()])
    def test_other_types(self, p, value):
        """What is neither str nor bytes is a TypeError that names its type."""
        with pytest.raises(TypeError) as caught:
            p.lookup("keep")(value)

        assert "'text'" in str(caught.value)
        assert type(value).__name__ in str(caught.value)

    def test_subclasses(self, p):
        """Subclasses of str and bytes are text and bytes."""

        class Text(str):
            pass

        class Data(bytes):
            pass

        assert p.lookup("keep")(Text("é")) == 2
        assert p.lookup("keep")(Data(b"abc")) == 3

    @pytest.mark.parametrize("name", ["keep_bytes", "keep_after"])
    def test_bytes(self, p, name):
        """A plugin_bytes parameter takes bytes of any value, and no str; the word may stand on either side."""
        keep = p.lookup(name)

        assert keep(b"\xff\x80") == 2
        assert p.lookup("kept_bytes")() == b"\xff\x80"
        with pytest.raises(TypeError) as caught:
            keep("text")
        assert "'data'" in str(caught.value)
        assert "bytes" in str(caught.value)

    def test_nullable(self, p):
        """None is NULL where plugin_nullable says so, and text is not."""
        assert [1, 0, 0] == [p.lookup("is_null")(text) for text in (None, "", "x")]


class TestResults:
    """`const char *` results."""

    @pytest.mark.parametrize("data", [b"\xff", b"a\x80b", b"\xc3", b"\xed\xa0\x80"])
    def test_not_utf8(self, p, data):
        """Bytes that are no UTF-8 are a ValueError that names the function and plugin_bytes, which gives them."""
        p.lookup("keep")(data)
        with pytest.raises(ValueError) as caught:
            p.lookup("kept_text")()

        assert "kept_text" in str(caught.value)
        assert "UTF-8" in str(caught.value)
        assert "plugin_bytes" in str(caught.value)
        assert data == p.lookup("kept_bytes")()

    def test_copied(self, p):
        """A result is a copy: the plugin's next text does not change it."""
        p.lookup("keep")("first")
        text, data = p.lookup("kept_text")(), p.lookup("kept_bytes")()
        p.lookup("keep")("other")

        assert (text, data) == ("first", b"first")

    def test_null(self, p):
        """NULL from a function that does not allow it is a CallError that names function, plugin and the word."""
        with pytest.raises(plugin.CallError) as caught:
            p.lookup("null")()

        for word in ("null", "strings/one", "1.0", "NULL", "plugin_nullable"):
            assert word in str(caught.value)
        assert caught.value.code == 0

    @pytest.mark.parametrize(("name", "there"), [("maybe", "there"), ("maybe_bytes", b"there")])
    def test_nullable(self, p, name, there):
        """NULL is None where plugin_nullable says so."""
        assert p.lookup(name)(False) is None
        assert there == p.lookup(name)(True)

    def test_outs(self, p):
        """Strings by pointer come back in order, NULL as None if that is allowed."""
        assert p.lookup("split")("one two three") == ("one two three", " two three")
        assert p.lookup("split")("one") == ("one", None)

    def test_null_out(self, p):
        """A forbidden NULL by pointer is a CallError that names the parameter."""
        with pytest.raises(plugin.CallError) as caught:
            p.lookup("null_out")()

        assert "null_out" in str(caught.value)
        assert "text" in str(caught.value)


class TestOwned:
    """Strings that the host releases."""

    def test_free(self, p):
        """plugin_owned gives the text."""
        assert p.lookup("own")("äb") == "äb"

    @pytest.mark.parametrize(("name", "kind"), [("counted", str), ("counted_bytes", bytes)])
    def test_released(self, p, live, name, kind):
        """Each is released once, by the function that plugin_free names, as soon as it was copied."""
        for number in range(100):
            assert isinstance(p.lookup(name)(str(number)), kind)
            assert live() == 0

    def test_nullable(self, p, live):
        """NULL is None, and not released."""
        assert p.lookup("counted_maybe")(True) == "there"
        assert p.lookup("counted_maybe")(False) is None
        assert live() == 0

    def test_not_utf8(self, p, live):
        """One that is no UTF-8 is released as well."""
        with pytest.raises(ValueError) as caught:
            p.lookup("counted")(b"\xff")

        assert "counted" in str(caught.value)
        assert live() == 0

    def test_failure(self, p, live):
        """One that comes with a failure is released, and the failure raised."""
        with pytest.raises(plugin.CallError) as caught:
            p.lookup("counted_fails")()

        assert caught.value.code == 7
        assert live() == 0

    def test_other_result_fails(self, p, live):
        """One that comes beside a result that cannot be converted is released once."""
        with pytest.raises(ValueError) as caught:
            p.lookup("counted_and_bad")()

        assert "counted_and_bad" in str(caught.value)
        assert live() == 0


class TestThreads:
    """A string that the plugin keeps in one place."""

    @pytest.mark.parametrize("name", ["fill", "fill_out"])
    def test_one_place(self, p, name):
        """It is copied before a call of another thread writes there: each thread gets what its own call made."""
        function, wrong = p.lookup(name), []

        def work(letter):
            expected = letter * (2**20 - 1)
            for _ in range(200):
                if function(ord(letter)) != expected:
                    wrong.append(letter)

        threads = [threading.Thread(target=work, args=(letter,)) for letter in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert [] == wrong
