"""What can be set, in one place; the Python keyword and the command line's flag have the same name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from maskreg.errors import InputError

_LOUDEST = 1e6
"""Most read noise, electrons: beyond it tables of what is stabilised would not fit into memory."""

_WIDEST = 1000.0
"""Widest low-pass, px: beyond it nothing is left to register, after hours."""


@dataclass(frozen=True)
class Options:
    """The options that change an answer (how it runs, workers and memory, never does).

    Attributes
    ----------
    max_shift : float or tuple of float, optional
        Greatest shift searched, px, one number or one per axis, inclusive, about zero shift.
    min_overlap : float, optional
        Least overlap, as a fraction (0 to 1] of the greatest overlap of any lag.
    exact : bool
        Search every lag at full resolution.
    subpixel : bool
        Refine below the pixel.
    gain : float, optional
        Detector gain, electrons per count.
    offset : float, optional
        Detector pedestal, counts.
    read_noise : float, optional
        Detector read noise, electrons.
    smoothing : float or 'auto'
        Low-pass width of the gradient used to refine, px (sigma of a Gaussian).
    """

    max_shift: float | tuple[float, ...] | None = None
    min_overlap: float | None = None
    exact: bool = False
    subpixel: bool = True
    gain: float | None = None
    offset: float | None = None
    read_noise: float | None = None
    smoothing: float | str = "auto"

    def __post_init__(self) -> None:
        if self.max_shift is not None:
            self._keep("max_shift", _checked_max_shift(self.max_shift))
        for name in ("exact", "subpixel"):
            self._keep(name, _truth(name, getattr(self, name)))
        for name in ("min_overlap", "gain", "offset", "read_noise"):
            if (value := getattr(self, name)) is not None:
                self._keep(name, _number(name, value))
        if self.min_overlap is not None and not 0 < self.min_overlap <= 1:
            raise InputError(
                f"min_overlap is {self.min_overlap:g}; "
                "it is a fraction of the greatest overlap, above 0, at most 1"
            )
        if self.gain is not None and not self.gain > 0:
            raise InputError(f"gain is {self.gain:g}; it must be a positive number of electrons per count")
        if self.read_noise is not None and not 0 <= self.read_noise <= _LOUDEST:
            raise InputError(
                f"read_noise is {self.read_noise:g}; it must be zero or more electrons, at most {_LOUDEST:g}"
            )
        if self.smoothing != "auto":
            self._keep("smoothing", _checked_smoothing(self.smoothing))

    def _keep(self, name: str, value: Any) -> None:
        """Hold an option as a plain value of Python's, as a record can, whatever type it came in."""
        object.__setattr__(self, name, value)

    def limits(self, ndim: int) -> tuple[float, ...] | None:
        """Return the greatest shift searched along each of `ndim` axes, px, or None for no limit."""
        if self.max_shift is None:
            return None
        if not isinstance(self.max_shift, tuple):
            return (float(self.max_shift),) * ndim
        if len(self.max_shift) != ndim:
            raise InputError(
                f"max_shift has {len(self.max_shift)} numbers {self.max_shift}, the images have {ndim} axes; "
                "give one number, or one per axis"
            )
        return self.max_shift


def _number(name: str, value: Any) -> float:
    """Return `value` as a finite float, or say which option is none."""
    if isinstance(value, str) or value is None:
        raise InputError(f"{name} is {value!r}; it must be a number")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} is {value!r}; it must be a number") from None
    if number != number or number in (float("inf"), float("-inf")):
        raise InputError(f"{name} is {value!r}; it must be finite")
    return number


def _truth(name: str, value: Any) -> bool:
    if getattr(value, "ndim", 0) or value not in (True, False):
        raise InputError(f"{name} is {value!r}; it must be True or False")
    return bool(value)


def _checked_smoothing(value: Any) -> float:
    width = 0.0 if isinstance(value, str) else _number("smoothing", value)
    if not 0 < width <= _WIDEST:
        raise InputError(
            f"smoothing is {value!r}; it must be 'auto' or a positive width in px, at most {_WIDEST:g}"
        )
    return width


def _checked_max_shift(value: Any) -> float | tuple[float, ...]:
    single = isinstance(value, str) or not hasattr(value, "__len__") or getattr(value, "ndim", 1) == 0
    numbers = tuple(_number("max_shift", v) for v in ([value] if single else value))
    if not numbers or min(numbers) < 0:
        raise InputError(f"max_shift is {value!r}; it must be zero or more px, one number or one per axis")
    return numbers[0] if single else numbers
