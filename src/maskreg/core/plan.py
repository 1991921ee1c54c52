"""Arithmetic only: shapes in; window, pyramid levels and bytes out. The plan prints itself.

A series of lags is searched on images binned by 1, 2, 4, ...: level b holds the frame binned
b times along every axis. A first look at one coarse level is enough for a frame of strong structure, a second
or a third one at a finer level for most others.
Otherwise the search starts at the finest level that is cheap, looks at all coarser ones, and goes
finer only where those do not settle the matter (`maskreg.core.journey`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.fft import next_fast_len

CHEAP_PIXELS = 2**17
"""The all-lag search starts at the finest level of at most this many pixels."""

LOOK_PIXELS = (2**10, 2**12, 2**14)
"""The first looks are at the finest levels of at most so many pixels, the cheapest first."""

SHORTEST_SIDE = 16
"""No level has a side shorter than this, unless the image itself has."""

FEWEST_LEVEL_PIXELS = 256
"""No level but the first has fewer pixels: statistics of fewer lags mean little."""

BYTES_OF_PROGRAM = 250_000_000
"""What Python, its libraries and the compiled kernels take."""

FIELDS = 14
"""So many float32 images of its size a reference is made of, those in the making included."""

LAG_BYTES = 36
"""Bytes a lag that the search of a level keeps: transforms of reference and masks, what all frames share."""

FINE_BYTES = 5
"""Bytes a lag of a fine level that its searches keep, and"""

FINE_BYTES_A_FRAME = 14
"""for each frame that is searched there at once (`lags.fine`)."""

FINE_AT_ONCE = 240_000_000
"""So many frames are searched there at once as take no more bytes than this; one in any case."""

BEHIND_PATTERN_BYTES = 118
"""Bytes a pixel of a reference of two axes behind a mask with a pattern, or of scattered ignored pixels, with
all that is kept of its lags, and"""

BEHIND_PATTERN_BYTES_A_FRAME = 30
"""for each frame, filled and refined at full resolution. One that is searched at all lags there is alone."""

COMPARED_FIELDS = 12
"""So many float32 images comparing the first frames takes (`aligned.static`), beside those frames."""

MEAN_BYTES = 120
"""Bytes a pixel that the mean of a series takes as the reference: sums of any number of frames, fields."""

MEAN_BYTES_A_FRAME = 40
"""And for each frame that is registered to it at once."""

MEAN_KEPT_BYTES = 20
"""Bytes a pixel that are kept of the mean while frames are looked for in it at all places."""

BACKGROUND_PX = 5.0
"""Sigma, in level pixels, of the local plane that the search takes off (`image.detail`)."""

SECONDS_PER_PIXEL = 5e-9
"""Time that reading and registering a frame takes, per pixel (`benchmarks/series.py`)."""


@dataclass(frozen=True)
class Plan:
    """With which sizes a pair of shapes is searched.

    Attributes
    ----------
    reference_shape, moving_shape : tuple of int
    bins : tuple of int
        Every level, finest first.
    start : int
        The bin of the level at which the search starts.
    looks : tuple of int
        The bins of the levels of the first looks, coarsest first; each is enough where it is decisive.
    """

    reference_shape: tuple[int, ...]
    moving_shape: tuple[int, ...]
    bins: tuple[int, ...]
    start: int
    looks: tuple[int, ...] = ()

    @property
    def coarse_first(self) -> tuple[int, ...]:
        """The levels searched in any case: the start level and all coarser ones."""
        return tuple(b for b in self.bins if b >= self.start)

    @property
    def fallback(self) -> tuple[int, ...]:
        """The finer levels, in the order in which they are searched when that was not enough."""
        return tuple(b for b in reversed(self.bins) if b < self.start)

    def refined_from(self, b: int, *, look: bool = False) -> int:
        """Return the bin of the level at which a place that level `b` found is refined first.

        Of a first `look` at a level much coarser than the start, one that costs as little.
        """
        return max(b // 2, self.start) if look else min(b, self.start)

    @property
    def fine(self) -> tuple[int, ...]:
        """The levels of so many pixels that they are searched in little memory (`lags.fine`)."""
        if len(self.moving_shape) != 2:
            return ()
        pixels = max(math.prod(self.reference_shape), math.prod(self.moving_shape))
        return tuple(b for b in self.bins if pixels / b**2 > CHEAP_PIXELS)

    def window(self, b: int) -> tuple[int, ...]:
        """Return the shape of the transforms at level `b`: no lag meets another's copy.

        All lags, whatever `max_shift` is: the chance level is read off all of them.
        """
        shapes = zip(self.reference_shape, self.moving_shape, strict=True)
        return tuple(window_length(p // b, q // b, None) for p, q in shapes)

    @property
    def bytes_per_frame(self) -> int:
        """Memory that one frame in flight needs, bytes: as read, stabilised, its levels, transforms."""
        pixels = math.prod(self.moving_shape)
        lags = 0 if self.start in self.fine else math.prod(self.window(self.start))
        return 9 * pixels + 4 * 14 * lags

    @property
    def seconds_per_frame(self) -> float:
        """About the time that one thread needs for a frame, s; half or twice as much on other machines."""
        return SECONDS_PER_PIXEL * math.prod(self.moving_shape)

    @property
    def bytes_of_reference(self) -> int:
        """Memory that the reference needs, bytes: refined at full resolution, searched coarse first."""
        lags = sum(math.prod(self.window(b)) for b in self.coarse_first if b not in self.fine)
        return int(math.prod(self.reference_shape) * FIELDS * 4 * 4 / 3) + LAG_BYTES * lags

    @property
    def fine_at_once(self) -> int:
        """How many frames may be searched at fine levels at once; the others wait."""
        return max(1, FINE_AT_ONCE // (FINE_BYTES_A_FRAME * self._fine_lags)) if self.fine else 1

    @property
    def _fine_lags(self) -> int:
        return math.prod(self.window(self.fine[0]))

    def bytes_in_doubt(self, workers: int) -> int:
        """Memory that searches at fine levels need besides, of as many frames as may be there at once."""
        if not self.fine:
            return 0
        return self._fine_lags * (FINE_BYTES + min(workers, self.fine_at_once) * FINE_BYTES_A_FRAME)

    def bytes_behind_pattern(self, workers: int) -> int:
        """Memory that reference and frames need behind masks of which every lag must be searched exactly."""
        if not self.fine:
            return 0
        reference, moving = (math.prod(shape) for shape in (self.reference_shape, self.moving_shape))
        return BEHIND_PATTERN_BYTES * reference + workers * BEHIND_PATTERN_BYTES_A_FRAME * moving

    def bytes_for(self, workers: int, *, compared: int = 0, mean: bool = False) -> int:
        """Memory of a process that registers so many frames at once.

        Parameters
        ----------
        workers : int
        compared : int
            Bytes of the frames that are compared with each other before.
        mean : bool
            Whether the reference is the mean of the series.
        """
        pixels = math.prod(self.moving_shape)
        at_once = workers * self.bytes_per_frame + self.bytes_in_doubt(workers)
        needed = max(
            self.bytes_of_reference + at_once,
            self.bytes_behind_pattern(workers),
            compared + 4 * COMPARED_FIELDS * pixels if compared else 0,
        )
        if mean:
            placed = pixels * (MEAN_BYTES + workers * MEAN_BYTES_A_FRAME)
            needed = max(needed + pixels * MEAN_KEPT_BYTES, placed)
        return BYTES_OF_PROGRAM + needed

    def workers_within(self, memory: float, wanted: int, *, compared: int = 0, mean: bool = False) -> int:
        """Return how many of the wanted frames at once fit into so many bytes; one in any case."""
        workers = wanted
        while workers > 1 and self.bytes_for(workers, compared=compared, mean=mean) > memory:
            workers -= 1
        return workers

    def __str__(self) -> str:
        return (
            f"{self.reference_shape} against {self.moving_shape}: "
            f"{f'first looks at bins {self.looks}, ' if self.looks else ''}"
            f"search at bins {self.coarse_first} in windows of {self.window(self.start)}, "
            f"falling back to bins {self.fallback}; {self.bytes_per_frame / 1e6:.0f} MB a frame"
        )


def window_length(reference: int, moving: int, limit: int | None) -> int:
    """Return a fast transform length in which lags up to `limit` (None: all) do not wrap round."""
    return int(next_fast_len(least_length(reference, moving, limit), True))


def least_length(reference: int, moving: int, limit: int | None) -> int:
    """Return the least length of a transform in which lags up to `limit` (None: all) do not wrap round.

    Lag s is met again at s + length and s - length; lags reach from -(moving - 1) to reference - 1.
    """
    needed = reference + moving - 1
    if limit is not None:
        needed = min(needed, max(reference, moving) + limit)
    return needed


def make_plan(
    reference_shape: tuple[int, ...],
    moving_shape: tuple[int, ...],
    *,
    exact: bool = False,
) -> Plan:
    """Return the plan for two shapes; `exact` starts the search at full resolution."""
    smaller = [min(p, q) for p, q in zip(reference_shape, moving_shape, strict=True)]
    bins = [1]
    while (
        min(smaller) // (2 * bins[-1]) >= SHORTEST_SIDE
        and math.prod(s // (2 * bins[-1]) for s in smaller) >= FEWEST_LEVEL_PIXELS
    ):
        bins.append(2 * bins[-1])
    pixels = max(math.prod(reference_shape), math.prod(moving_shape))
    cheap = [b for b in bins if pixels / b ** len(smaller) <= CHEAP_PIXELS]
    start = 1 if exact else (cheap[0] if cheap else bins[-1])
    looks = set()
    for most in LOOK_PIXELS:
        looks.update([b for b in cheap if b > start and pixels / b ** len(smaller) <= most][:1])
    coarse_first = () if exact else tuple(sorted(looks, reverse=True))
    return Plan(tuple(reference_shape), tuple(moving_shape), tuple(bins), start, coarse_first)
