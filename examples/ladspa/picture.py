"""Pictures without a plotting library: lines on a grid, written as PNG by the standard library's zlib."""

import pathlib
import struct
import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

GREY, BLUE, RED, BLACK, PALE = (150, 150, 150), (20, 90, 200), (220, 40, 30), (30, 30, 30), (225, 225, 225)
Colour = tuple[int, int, int]

# Three by five dots for each character, a row an octal digit.
GLYPHS = {
    **{"0": 0o75557, "1": 0o26227, "2": 0o71747, "3": 0o71717, "4": 0o55711, "5": 0o74717, "6": 0o74757},
    **{"7": 0o71111, "8": 0o75757, "9": 0o75717, "-": 0o00700, "k": 0o45655, ".": 0o00002, " ": 0, "s": 0o34216},
    **{"d": 0o11757, "B": 0o65656, "H": 0o55755, "z": 0o07247},
}


class Panel:
    """A part of a picture with axes of its own."""

    def __init__(self, pixels: NDArray[np.uint8], x: tuple[float, float], y: tuple[float, float]) -> None:
        self.pixels, self.x, self.y = pixels, x, y

    def across(self, x: ArrayLike) -> NDArray[np.int64]:
        """The columns of values of x."""
        low, high = self.x
        return np.rint((np.asarray(x) - low) / (high - low) * (self.pixels.shape[1] - 1)).astype(np.int64)

    def down(self, y: ArrayLike) -> NDArray[np.int64]:
        """The rows of values of y."""
        low, high = self.y
        return np.rint((high - np.asarray(y)) / (high - low) * (self.pixels.shape[0] - 1)).astype(np.int64)

    def upright(self, x: float, text: str = "", colour: Colour = PALE) -> None:
        """A line of the grid from top to bottom."""
        self.pixels[:, self.across(x)] = colour
        self.write(text, int(self.across(x)) + 4, self.pixels.shape[0] - 14)

    def level(self, y: float, text: str = "", colour: Colour = PALE) -> None:
        """A line of the grid from left to right."""
        self.pixels[self.down(y)] = colour
        self.write(text, 4, int(self.down(y)) + 3)

    def write(self, text: str, column: int, row: int) -> None:
        """A few characters, two pixels a dot."""
        for number, character in enumerate(text):
            bits = np.array([int(bit) for bit in f"{GLYPHS[character]:015b}"], bool).reshape(5, 3)
            dots = bits.repeat(2, axis=0).repeat(2, axis=1)
            place = self.pixels[row : row + 10, column + 8 * number : column + 8 * number + 6]
            place[dots[: place.shape[0], : place.shape[1]]] = BLACK

    def line(self, x: NDArray[np.float64], y: NDArray[np.float64], colour: Colour, width: int = 1) -> None:
        """A curve: in each column from the lowest to the highest of its values; what leaves the panel is cut."""
        columns = self.across(x)
        for column in np.unique(columns[(columns >= 0) & (columns < self.pixels.shape[1])]):
            rows = self.down(np.clip(y[columns == column], *self.y))
            self.pixels[max(rows.min() - width // 2, 0) : rows.max() + (width + 1) // 2 + 1 * (width == 1), column] = (
                colour
            )


def canvas(width: int, height: int) -> NDArray[np.uint8]:
    """White pixels, as rows of (red, green, blue)."""
    return np.full((height, width, 3), 255, np.uint8)


def save(path: pathlib.Path, pixels: NDArray[np.uint8]) -> None:
    """Write the pixels as a PNG."""
    height, width, _ = pixels.shape
    rows = np.hstack([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)])  # each begins with its filter, none
    chunks: Iterable[tuple[bytes, bytes]] = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes())),
        (b"IEND", b""),
    ]
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, data in chunks:
            file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
