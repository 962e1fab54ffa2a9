"""Objects that plugins hand out: structs of function pointers used as interfaces, and opaque handles."""

import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from objects_plugin import p, released

import plugin

__all__ = ["p", "released"]


class TestMethods:
    """Function pointers as methods."""

    def test_call(self, p: Any) -> None:
        """Methods get the object first, static members do not."""
        box = p.lookup("make")(7)

        assert (7, 70, 8) == (box.value(), box.child().get(), box.twice(4))
        assert 8 == box.twice(x=4)

    def test_null(self, p: Any) -> None:
        """A NULL method reads as None if nullable; otherwise calling it is a CallError that names it."""
        box = p.lookup("make")(1)

        assert box.maybe is None
        with pytest.raises(plugin.CallError) as caught:
            box.missing()
        assert "Box.missing" in str(caught.value)
        assert "example.com/boxes" in str(caught.value)

    def test_failure(self, p: Any) -> None:
        """A method's failure names struct, method and plugin."""
        with pytest.raises(plugin.CallError) as caught:
            p.lookup("make")(3).again()

        assert 9 == caught.value.code
        assert "Box.again" in str(caught.value)
        assert "box 3" in str(caught.value)

    @pytest.mark.parametrize("wrong", [None, 3, "text", object(), b"bytes", plugin.Pointer(16)])
    def test_argument(self, p: Any, wrong: object) -> None:
        """What is no Box is refused with the type that was expected."""
        with pytest.raises(TypeError) as caught:
            p.lookup("peek")(wrong)

        assert "Box *" in str(caught.value)

    def test_other_struct(self, p: Any) -> None:
        """An object of another struct is refused with both types."""
        with pytest.raises(TypeError) as caught:
            p.lookup("peek")(p.lookup("make")(1).child())

        assert "expected Box *" in str(caught.value)
        assert "Child *" in str(caught.value)

    def test_other_self(self, p: Any) -> None:
        """A method of one struct's type refuses an object of another."""
        box = p.lookup("make")(1)

        with pytest.raises(TypeError):
            type(box).value(box.child())

    def test_nullable(self, p: Any) -> None:
        """None goes in where the declaration allows NULL."""
        assert -1 == p.lookup("peek_or")(None)

    def test_making(self, p: Any) -> None:
        """Python makes objects of a struct's type, with members by name; theirs and the plugin's can be set."""
        box = p.lookup("make")(1)
        made = type(box)(n=3, kid=type(box.kid)(n=30))

        assert (3, 30, 0) == (made.n, made.kid.n, type(box)().n)
        made.n, box.n = 4, 5
        assert [4, 5, 45] == [p.lookup("peek")(made), p.lookup("peek")(box), p.lookup("both")(made, box)]

    def test_no_making(self, p: Any) -> None:
        """Not with members that the struct has not, by position, or with what a member cannot hold."""
        kind = type(p.lookup("make")(1))

        for wrong in ((1,), (1, 2)):
            with pytest.raises(TypeError):
                kind(*wrong)
        for name, value, error in (("m", 1, TypeError), ("n", "1", TypeError), ("n", 2**40, OverflowError)):
            with pytest.raises(error) as caught:
                kind(**{name: value})
            assert name in str(caught.value)

    def test_identity(self, p: Any) -> None:
        """Two objects for one pointer are equal and hash alike; other pointers and types differ."""
        box = p.lookup("make")(1)
        first, second = box.child(), box.child()

        assert first == second
        assert hash(first) == hash(second)
        assert box != p.lookup("make")(1)
        assert box != first
        assert box != 3
        assert box == p.lookup("same")(box)

    def test_weakref(self, p: Any) -> None:
        """A weak reference to an object dies with it."""
        box = p.lookup("make")(1)
        reference = weakref.ref(box)

        assert reference() is box
        del box
        assert reference() is None


class TestRelease:
    """Owned objects are released exactly once."""

    def test_last_reference(self, p: Any, released: Callable[[], int]) -> None:
        """The last reference releases an object."""
        box = p.lookup("make")(1)
        assert 0 == released()
        del box

        assert 1 == released()

    def test_cycle(self, p: Any, released: Callable[[], int]) -> None:
        """An object in a reference cycle of Python objects is released by the collector."""
        holder: list[Any] = [p.lookup("make")(1)]
        holder.append(holder)
        del holder

        assert 1 == released()

    def test_with(self, p: Any, released: Callable[[], int]) -> None:
        """The end of a with block releases, also when the destructor was called inside it."""
        with p.lookup("make")(1) as first:
            pass
        assert 1 == released()
        with p.lookup("make")(1) as second:
            second.close()
        del first, second

        assert 1 == released()

    def test_destructor(self, p: Any, released: Callable[[], int]) -> None:
        """The destructor, called by its name, releases; a second call is a ClosedError."""
        box = p.lookup("make")(1)
        box.close()

        with pytest.raises(plugin.ClosedError):
            box.close()
        del box
        assert 1 == released()

    def test_closed(self, p: Any) -> None:
        """Afterwards every use raises ClosedError; repr and equality still work."""
        box = p.lookup("make")(1)
        value = box.value
        box.close()

        uses: list[Callable[[], object]] = [
            box.value, box.child, value, lambda: box.twice(1), lambda: box.maybe, lambda: p.lookup("peek")(box),
            lambda: p.lookup("take")(box, 0), lambda: p.lookup("both")(p.lookup("make")(1), box), box.__enter__,
        ]  # fmt: skip
        for use in uses:
            with pytest.raises(plugin.ClosedError):
                use()
        assert "closed" in repr(box)
        assert box == box

    def test_taken_over(self, p: Any, released: Callable[[], int]) -> None:
        """A parameter that takes over closes the object, also when the call fails; Python releases it no more."""
        for fail in (0, 1):
            box = p.lookup("make")(1)
            if fail:
                with pytest.raises(plugin.CallError):
                    p.lookup("take")(box, fail)
            else:
                p.lookup("take")(box, fail)
            with pytest.raises(plugin.ClosedError):
                box.value()
            del box

        assert 2 == released()

    def test_taken_twice(self, p: Any, released: Callable[[], int]) -> None:
        """One object cannot be taken over twice by one call; it is still good then."""
        box = p.lookup("make")(4)

        with pytest.raises(ValueError) as caught:
            p.lookup("take_two")(box, box)
        assert "twice" in str(caught.value)
        assert 4 == box.value()
        assert 0 == released()

    def test_conversion_fails(self, p: Any, released: Callable[[], int]) -> None:
        """An object is not taken over by a call that another argument stopped."""
        box = p.lookup("make")(4)

        with pytest.raises(TypeError):
            p.lookup("take")(box, "no number")
        assert 4 == box.value()
        assert 0 == released()

    def test_failure(self, p: Any, released: Callable[[], int]) -> None:
        """An owned result or out that comes with a failure is released."""
        with pytest.raises(plugin.CallError):
            p.lookup("fail")()
        assert 1 == released()
        with pytest.raises(plugin.CallError):
            p.lookup("make_out")(1)

        assert 1 == released()

    def test_out(self, p: Any, released: Callable[[], int]) -> None:
        """An owned out is released once."""
        number, box = p.lookup("make_out")(0)

        assert (1, 6) == (number, box.value())
        del box
        assert 1 == released()

    def test_closed_meanwhile(self, p: Any, released: Callable[[], int]) -> None:
        """An argument that converting a later one closed is a ClosedError, not a call with freed memory."""

        boxes = [p.lookup("make")(1)]

        class Index:
            def __index__(self) -> int:
                boxes[0].close()
                return 0

        with pytest.raises((plugin.ClosedError, ValueError)):
            p.lookup("take")(boxes[0], Index())
        boxes.clear()
        assert 1 == released()


class TestBorrowed:
    """Objects that belong to others."""

    def test_keeps_alive(self, p: Any, released: Callable[[], int]) -> None:
        """A borrowed object keeps the one alive that it came from."""
        child = p.lookup("make")(3).child()

        assert 0 == released()
        assert 30 == child.get()
        del child
        assert 1 == released()

    def test_invalid(self, p: Any) -> None:
        """It is closed when that one is released, and says whose release it was."""
        box = p.lookup("make")(3)
        child = box.child()
        box.close()

        with pytest.raises(plugin.ClosedError) as caught:
            child.get()
        assert "Box *" in str(caught.value)
        assert "closed" in repr(child)

    def test_with(self, p: Any) -> None:
        """A borrowed object cannot be released by a with block."""
        child = p.lookup("make")(3).child()

        with pytest.raises(TypeError) as caught, child:
            pass
        assert "not owned" in str(caught.value)


class TestHandles:
    """Opaque types with a destructor function."""

    def test_by_name(self, p: Any, released: Callable[[], int]) -> None:
        """The destructor's failure, called by name, is a CallError; the handle is closed."""
        handle = p.lookup("handle_open")(-1)

        with pytest.raises(plugin.CallError) as caught:
            p.lookup("handle_close")(handle)
        assert 8 == caught.value.code
        assert handle.closed
        del handle
        assert 100 == released()

    def test_unraisable(self, p: Any, released: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
        """When the last reference dies, its failure goes to the hook for what cannot be raised."""
        seen: list[Any] = []
        monkeypatch.setattr(sys, "unraisablehook", lambda failure: seen.append(failure.exc_value))
        p.lookup("handle_open")(-1)

        assert 100 == released()
        assert [plugin.CallError] == [type(error) for error in seen]
        assert "cannot be closed well" in str(seen[0])
