"""What the effects of the LADSPA SDK should do, by their definition, and what they do, measured.

The low-pass and the high-pass are of first order: |H| falls 6 dB an octave off the cutoff. The low-pass, which halves
the power at its cutoff, is the recursion y[n] = a x[n] + b y[n-1], with b = c - sqrt(c^2 - 1), a = 1 - b and
c = 2 - cos(2 pi cutoff / rate); the high-pass is the input less the low-pass. The amplifier multiplies. The delay line
adds, by its balance, the signal of so many seconds ago.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import ladspa
import numpy as np
from ladspa import Signal
from numpy.typing import NDArray

RATE = 48000  # samples a second
CUTOFF = 1000.0  # Hz
TOLERANCE = 0.05  # dB
GAIN = 0.3
DELAY, BALANCE = 0.01, 0.25  # seconds, share of the delayed signal
Floats = NDArray[np.float64]


class Line(NamedTuple):
    """One line of the table: measured against defined."""

    what: str
    measured: float
    defined: float
    tolerance: float

    @property
    def holds(self) -> bool:
        return bool(abs(self.measured - self.defined) <= self.tolerance)


def lowpass(frequency: Floats) -> NDArray[np.complex128]:
    """The response that the definition of the low-pass gives, at frequencies in Hz."""
    c = 2 - np.cos(2 * np.pi * CUTOFF / RATE)
    b = c - np.sqrt(c * c - 1)
    response: NDArray[np.complex128] = (1 - b) / (1 - b * np.exp(-2j * np.pi * frequency / RATE))
    return response


def highpass(frequency: Floats) -> NDArray[np.complex128]:
    """The same of the high-pass."""
    return 1 - lowpass(frequency)


def decibel(response: NDArray[Any]) -> Floats:
    """Absolute values in dB; what is zero is -200 dB."""
    return 20 * np.log10(np.maximum(np.abs(response), 1e-10))


def measure(effect: Any, **controls: float) -> Floats:
    """The response in dB at 0, 1, 2 ... Hz up to half the rate: of one second of an impulse's echo."""
    impulse = np.zeros(RATE, np.float32)
    impulse[0] = 1
    return decibel(np.fft.rfft(ladspa.run(effect, impulse, RATE, **controls).astype(np.float64)))


def check_filter(effect: Any, definition: Callable[[Floats], Any]) -> list[Line]:
    """The response at octaves around the cutoff, and its slope far off; half the power at the low-pass's cutoff."""
    measured = measure(effect, cutoff=CUTOFF)
    octaves = CUTOFF * 2.0 ** np.arange(-3, 4)
    defined = decibel(definition(octaves))
    lines = [
        Line(f"{frequency:5.0f} Hz, dB", measured[round(frequency)], value, TOLERANCE)
        for frequency, value in zip(octaves, defined, strict=True)
    ]
    if definition is lowpass:
        lines.append(Line("at the cutoff: half the power, dB", measured[round(CUTOFF)], 10 * np.log10(0.5), TOLERANCE))
        measured, low, sign = measure(effect, cutoff=100), 1000, -1
    else:
        low, sign = 50, 1
    slope = measured[2 * low] - measured[low]
    lines.append(Line(f"an octave from {low} to {2 * low} Hz, dB", slope, sign * 20 * np.log10(2), 2 * TOLERANCE))
    return lines


def noise() -> Signal:
    """One second of white noise."""
    return np.random.default_rng(1).uniform(-1, 1, RATE).astype(np.float32)


def check_amplifier(effect: Any) -> list[Line]:
    """Every sample is multiplied, exactly."""
    signal = noise()
    out = ladspa.run(effect, signal, RATE, gain=GAIN)
    difference = float(np.max(np.abs(out - signal * np.float32(GAIN))))
    gain = float(np.sqrt(np.mean(out.astype(np.float64) ** 2) / np.mean(signal.astype(np.float64) ** 2)))
    return [Line("gain", gain, GAIN, 1e-7), Line("largest difference of a sample", difference, 0, 0)]


def check_delay(effect: Any) -> list[Line]:
    """Now and then, mixed."""
    signal = noise()
    out = ladspa.run(effect, signal, RATE, delay=DELAY, **{"dry/wet": BALANCE})
    late = np.zeros_like(signal)
    late[round(DELAY * RATE) :] = signal[: -round(DELAY * RATE)]
    difference = float(np.max(np.abs(out - ((1 - BALANCE) * signal + BALANCE * late))))
    return [Line("largest difference of a sample", difference, 0, 1e-6)]


CHECKS: dict[str, Callable[[Any], list[Line]]] = {
    "lpf": lambda effect: check_filter(effect, lowpass),
    "hpf": lambda effect: check_filter(effect, highpass),
    "amp_mono": check_amplifier,
    "delay_5s": check_delay,
}
