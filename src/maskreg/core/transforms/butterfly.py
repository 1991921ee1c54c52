"""Fourier transforms of 2, 3, 4, 5, 7 or 8 numbers, over anything that adds and multiplies.

Longer ones are made of these (Cooley and Tukey, Mathematics of Computation 19, 297-301, 1965,
doi:10.1090/S0025-5718-1965-0178586-1). They are written once, for numbers, arrays and vectors of
compiled code.

Swapping real and imaginary parts before and after a transform makes it the inverse one (without the factor
1 / n). So there is one direction: who inverts stores what it has swapped.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple


class Complex(NamedTuple):
    """Real and imaginary part: numbers, arrays, or vectors of compiled code."""

    re: Any
    im: Any

    def __add__(self, other: Any) -> Complex:
        return Complex(self.re + other.re, self.im + other.im)

    def __sub__(self, other: Complex) -> Complex:
        return Complex(self.re - other.re, self.im - other.im)

    def times(self, w: Complex) -> Complex:
        """Return the product."""
        return Complex(self.re * w.re - self.im * w.im, self.re * w.im + self.im * w.re)

    def less_turned(self, other: Complex) -> Complex:
        """Return self - i other."""
        return Complex(self.re + other.im, self.im - other.re)

    def more_turned(self, other: Complex) -> Complex:
        """Return self + i other."""
        return Complex(self.re - other.im, self.im + other.re)

    def scaled(self, factor: float) -> Complex:
        """Return the product with a real number."""
        return Complex(self.re * factor, self.im * factor)


def butterfly(x: list[Any]) -> list[Complex]:
    """Return the Fourier transform of 2, 3, 4, 5, 7 or 8 numbers; None, of the last ones, is zero.

    No more than half of them are.
    """
    found: list[Complex] = _OF_LENGTH[len(x)](*x)
    return found


def _two(a: Complex, b: Complex | None) -> list[Complex]:
    return [a, a] if b is None else [a + b, a - b]


def _odd(first: Complex, *others: Any) -> list[Complex]:
    n, half = len(others) + 1, len(others) // 2
    # numbers as far from the first one, on either side, meet the same cosine and opposite sines
    totals, rests = zip(*(_two(others[k], others[-1 - k]) for k in range(half)), strict=True)
    found = [sum(totals, first)]
    mirrored = []
    for j in range(1, half + 1):
        angles = [2 * math.pi * (j * k % n) / n for k in range(1, half + 1)]
        even = sum((p.scaled(math.cos(x)) for p, x in zip(totals, angles, strict=True)), first)
        one, *more = (q.scaled(math.sin(x)) for q, x in zip(rests, angles, strict=True))
        turned = sum(more, one)
        found.append(even.less_turned(turned))
        mirrored.append(even.more_turned(turned))
    return found + mirrored[::-1]


def _four(a: Complex, b: Complex, c: Complex | None, d: Complex | None) -> list[Complex]:
    (e, f), (g, h) = _two(a, c), _two(b, d)
    return [e + g, f.less_turned(h), e - g, f.more_turned(h)]


def _eight(*x: Any) -> list[Complex]:
    even, (a, b, c, d) = _four(*x[::2]), _four(*x[1::2])
    root = math.sqrt(0.5)
    b = Complex(b.re + b.im, b.im - b.re).scaled(root)
    d = Complex(d.im - d.re, d.im + d.re).scaled(root)  # the other sign of its imaginary part is below
    return [
        even[0] + a,
        even[1] + b,
        even[2].less_turned(c),
        Complex(even[3].re + d.re, even[3].im - d.im),
        even[0] - a,
        even[1] - b,
        even[2].more_turned(c),
        Complex(even[3].re - d.re, even[3].im + d.im),
    ]


_OF_LENGTH: dict[int, Any] = {2: _two, 3: _odd, 4: _four, 5: _odd, 7: _odd, 8: _eight}
