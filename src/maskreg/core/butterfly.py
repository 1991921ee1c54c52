"""Fourier transforms of 2, 3, 4, 5 or 8 numbers, over anything that adds and multiplies.

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
    """Return the Fourier transform of 2, 3, 4, 5 or 8 numbers; None, in the upper half, is zero."""
    found: list[Complex] = _OF_LENGTH[len(x)](*x)
    return found


def _two(a: Complex, b: Complex | None) -> list[Complex]:
    return [a, a] if b is None else [a + b, a - b]


def _three(a: Complex, b: Complex, c: Complex) -> list[Complex]:
    total, rest = b + c, (b - c).scaled(math.sqrt(3) / 2)
    middle = a - total.scaled(0.5)
    return [a + total, middle.less_turned(rest), middle.more_turned(rest)]


def _four(a: Complex, b: Complex, c: Complex | None, d: Complex | None) -> list[Complex]:
    (e, f), (g, h) = _two(a, c), _two(b, d)
    return [e + g, f.less_turned(h), e - g, f.more_turned(h)]


def _five(a: Complex, b: Complex, c: Complex, d: Complex, e: Complex) -> list[Complex]:
    (p, q), (r, s) = _two(b, e), _two(c, d)
    cos, sin = ([f(2 * math.pi * k / 5) for k in (1, 2)] for f in (math.cos, math.sin))
    one = a + p.scaled(cos[0]) + r.scaled(cos[1])
    two = a + p.scaled(cos[1]) + r.scaled(cos[0])
    one_turned = q.scaled(sin[0]) + s.scaled(sin[1])
    two_turned = q.scaled(sin[1]) - s.scaled(sin[0])
    return [
        a + p + r,
        one.less_turned(one_turned),
        two.less_turned(two_turned),
        two.more_turned(two_turned),
        one.more_turned(one_turned),
    ]


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


_OF_LENGTH: dict[int, Any] = {2: _two, 3: _three, 4: _four, 5: _five, 8: _eight}
