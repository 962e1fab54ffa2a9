"""plugin_error: how a function's failure becomes a CallError."""

import re

import natives
import pytest

import plugin

SOURCE = r"""
#include <plugin.h>
#include <stdlib.h>
#include <string.h>
PLUGIN("errors/one", "2.5");
static __thread int live;
PLUGIN_FUNC(int, check, (int n, plugin_error *error))
{
    if (n < 0) plugin_fail(error, 3, "%d is negative", n);
    return n;
}
PLUGIN_FUNC(void, coded, (int32_t code, const char *message, plugin_error *error))
{
    error->code = code;
    strncpy(error->message, message, sizeof error->message);
}
PLUGIN_FUNC(void, formatted, (int32_t code, const char *message, plugin_error *error))
{
    plugin_fail(error, code, "%s", message);
    plugin_fail(error, 99, "a second failure");
}
PLUGIN_FUNC(void, unended, (plugin_error *error))
{
    error->code = 1;
    memset(error->message, 'x', sizeof error->message);
}
PLUGIN_FUNC(int, first, (plugin_error *error, int a, int *b plugin_out))
{
    plugin_fail(error, 1, "%d", a);
    return *b = a;
}
PLUGIN_FUNC(int, kept, (plugin_error *error)) { return error->code * 1000 + (int)strlen(error->message); }

PLUGIN_DECLARE(typedef struct Thing Thing;)
struct Thing { int unused; };
PLUGIN_FUNC(plugin_owned Thing *, make, (bool fail, plugin_error *error))
{
    live++;
    if (fail) plugin_fail(error, 4, "made in vain");
    return malloc(sizeof(Thing));
}
PLUGIN_FUNC(void, make_out, (bool fail, Thing **thing plugin_out plugin_owned, plugin_error *error))
{
    *thing = make(fail, error);
}
PLUGIN_FUNC(plugin_owned Thing *, make_none, (plugin_error *error))
{
    plugin_fail(error, 5, "nothing made");
    return NULL;
}
PLUGIN_FUNC(plugin_destructor void, release, (Thing *thing)) { live--; free(thing); }
PLUGIN_FUNC(void, take, (Thing *thing plugin_owned, bool fail, plugin_error *error))
{
    release(thing);
    if (fail) plugin_fail(error, 6, "taken all the same");
}
PLUGIN_FUNC(int, live_count, (void)) { return live; }
"""


@pytest.fixture(scope="module")
def p(tmp_path_factory):
    """The plugin of this file."""
    return plugin.open(natives.compiled(tmp_path_factory, SOURCE))


def failure(function, *arguments):
    """The CallError that the call raises."""
    with pytest.raises(plugin.CallError) as caught:
        function(*arguments)
    return caught.value


class TestCallError:
    """The exception."""

    def test_sentence(self, p):
        """It names the function, the plugin, its version, the message and the code, and is a RuntimeError."""
        error = failure(p.lookup("check"), -5)

        assert error.code == 3
        assert isinstance(error, RuntimeError)
        for word in ("check", "errors/one", "2.5", "-5 is negative", "code 3"):
            assert word in str(error)

    def test_no_failure(self, p):
        """Without a failure the result comes, and no failure of an earlier call is left behind."""
        failure(p.lookup("check"), -5)

        assert p.lookup("check")(5) == 5
        assert p.lookup("kept")() == 0

    def test_code_alone_decides(self, p):
        """A message with code 0 is no failure; a code without a message is one."""
        assert p.lookup("coded")(0, "unused") is None
        assert failure(p.lookup("coded"), 1, "").code == 1

    @pytest.mark.parametrize("code", [1, 2**31 - 1, -1, -(2**31)])
    def test_code(self, p, code):
        """The code is the plugin's, of either sign."""
        assert code == failure(p.lookup("coded"), code, "x").code

    def test_not_passed(self, p):
        """The error is not passed, wherever it stands, and moves the other arguments up."""
        assert "[code 1]" in str(failure(p.lookup("first"), 5))
        with pytest.raises(TypeError) as caught:
            p.lookup("check")(1, None)
        assert "1 argument" in str(caught.value)

    def test_first_failure(self, p):
        """plugin_fail keeps the first failure, and makes a code of 0 a failure."""
        error = failure(p.lookup("formatted"), 0, "the first")

        assert error.code == 1
        assert "the first" in str(error)


class TestMessage:
    """The text of a failure."""

    @pytest.mark.parametrize("character", ["x", "é", "世", "🐍"])
    @pytest.mark.parametrize("shift", range(4))
    def test_cut(self, p, character, shift):
        """A long message is cut on a whole character, and fills what there is."""
        text = "-" * shift + character * 600
        message = str(failure(p.lookup("formatted"), 1, text))
        found = re.search(rf"(-*{character}+) \[code", message)

        assert found is not None
        size = len(found[1].encode())
        assert 507 - len(character.encode()) < size <= 507
        assert "\ufffd" not in message

    def test_unended(self, p):
        """A message without its NUL ends with the struct."""
        message = str(failure(p.lookup("unended")))

        assert message.count("x" * 507) == 1
        assert "x" * 508 not in message

    def test_not_utf8(self, p):
        """Bytes that are no UTF-8 are replaced: the failure is raised, not a UnicodeDecodeError."""
        message = str(failure(p.lookup("coded"), 1, b"bad \xff byte"))

        assert "bad \ufffd byte" in message


class TestOwned:
    """What changes hands in a call that fails."""

    @pytest.fixture(autouse=True)
    def _no_leak(self, p):
        """Each Thing that a test makes is released by its end."""
        assert p.lookup("live_count")() == 0
        yield
        assert p.lookup("live_count")() == 0

    @pytest.mark.parametrize("name", ["make", "make_out"])
    def test_result(self, p, name):
        """An owned result that comes with a failure is released before the failure is raised."""
        thing = p.lookup(name)(False)
        assert p.lookup("live_count")() == 1
        del thing

        assert p.lookup("live_count")() == 0
        assert "made in vain" in str(failure(p.lookup(name), True))
        assert p.lookup("live_count")() == 0

    def test_null(self, p):
        """NULL with a failure is that failure, not one about NULL."""
        assert failure(p.lookup("make_none")).code == 5

    @pytest.mark.parametrize("fail", [False, True])
    def test_taken(self, p, fail):
        """An object that the plugin takes over is closed by the call, whether that fails or not."""
        thing = p.lookup("make")(False)
        if fail:
            assert failure(p.lookup("take"), thing, True).code == 6
        else:
            p.lookup("take")(thing, False)

        assert thing.closed
        with pytest.raises(plugin.ClosedError):
            p.lookup("release")(thing)

    def test_not_taken(self, p):
        """A call that is refused before it happens leaves the object as it was."""
        thing = p.lookup("make")(False)
        with pytest.raises(TypeError):
            p.lookup("take")(thing, "no bool")
        with pytest.raises(TypeError):
            p.lookup("take")(thing)

        assert not thing.closed
        p.lookup("release")(thing)
