"""Find the mask of a series from the series itself: what stays still while the pattern moves.

A sample of the frames is all that is read. What is `found` in it is asked again where there are `doubts`: the
block itself may have moved.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import interrupts_as_such
from maskreg.masks import describe_mask
from maskreg.series.frames import opened
from maskreg.series.mask.doubts import about_given, about_motion, about_size
from maskreg.series.mask.found import found_in
from maskreg.series.mask.sampled import read_sample


@dataclass(frozen=True, eq=False)
class FoundMask:
    """A mask that was found.

    Attributes
    ----------
    mask : (rows, cols) bool
        True = valid.
    frames : tuple of int
        The frames that were looked at and could be registered.
    drift : float
        How far these lie apart at most, px.
    warnings : tuple of str
        What the user should look at.
    """

    mask: NDArray[np.bool_] = field(repr=False)
    frames: tuple[int, ...]
    drift: float
    warnings: tuple[str, ...] = ()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the mask: what was found will do for one."""
        return np.array(self.mask, dtype=dtype, copy=copy)

    def describe(self) -> str:
        """Return one line for people."""
        return (
            f"{describe_mask(self.mask)}; found from {len(self.frames)} frames that drift "
            f"by up to {self.drift:.1f} px"
        )


@interrupts_as_such()
def find_mask(frames: Any, *, given: ArrayLike | None = None, workers: int | None = None) -> FoundMask:
    """Find what stays still while the pattern moves: beam-block, gaps, dead, hot and saturated pixels.

    Parameters
    ----------
    frames : as in `maskreg.align`
        A series whose pattern drifts by about a pixel or more. A sample of it is read.
    given : (rows, cols) array of bool, optional
        A mask to compare with what is found, True = valid; it changes nothing but the warnings.
    workers : int, optional
        Frames registered at once; all cores unless told. Never changes the mask.

    Returns
    -------
    FoundMask

    Raises
    ------
    InputError
        When there are too few frames, or they cannot be registered at all.

    Examples
    --------
    >>> found = find_mask("scan/frames")  # doctest: +SKIP
    >>> found.mask, found.warnings  # doctest: +SKIP
    """
    with opened(frames) as source:
        sample, indices = read_sample(source)
    found = found_in(sample, workers)
    if found.trouble:
        warning = (
            f"{found.trouble}: only dead, hot and saturated pixels are found, no region that stands still; "
            "take frames that lie further apart, or draw the block by hand (--ignore-rect, --ignore-disk)"
        )
        return FoundMask(~found.static, tuple(indices), 0.0, (warning,))
    used = tuple(index for index, use in zip(indices, found.placed.ok, strict=True) if use)
    warnings = about_motion(sample, found, workers) or about_size(found.static)
    warnings += about_given(found.static, given)
    return FoundMask(~found.static, used, found.placed.drift, tuple(warnings))
