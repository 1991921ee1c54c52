"""The kernels of an ordinary pair of two axes: loaded on a thread while the first ones compute already.

Where they have to be compiled, after each installation once, several processes do.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike

from maskreg.core.detector import drawn_kernels, lone_kernels, noise_kernels
from maskreg.core.frequencies import spectrum_kernels
from maskreg.core.image import detail_kernels, filter_kernels, kernels, prepare_kernels, surround_kernels
from maskreg.core.lags import search_kernels
from maskreg.core.machine.compiled import load_kept, on_compiling
from maskreg.core.machine.in_parallel import meanwhile
from maskreg.core.machine.together import Together
from maskreg.core.search import peak_kernels
from maskreg.core.subpixel import refine_kernels, settle_kernels
from maskreg.core.uncertainty import residual_kernels

IN_ORDER: tuple[Any, ...] = (
    drawn_kernels.same_cells_2d,
    prepare_kernels.stabilised_halves_2d,
    filter_kernels.filtered_slices,
    filter_kernels.filtered_rows,
    noise_kernels.sorted_into_classes,
    filter_kernels.looked_up,
    kernels.halved_2d,
    spectrum_kernels.sum_within_2d,
    prepare_kernels.packed_counts_2d,
    spectrum_kernels.power_in_rings,
    spectrum_kernels.weighed,
    detail_kernels.local_plane_2d,
    detail_kernels.detail_2d,
    search_kernels.products_2d,
    search_kernels.level_scores_2d,
    peak_kernels.choose_2d,
    kernels.normal_sums_2d,
    settle_kernels.settle_2d,
    surround_kernels.continue_pixels,
    refine_kernels.packed_2d,
    refine_kernels.steps_2d,
    residual_kernels.seen_noise_2d,
    residual_kernels.box_sums_2d,
    refine_kernels.projected_2d,
    refine_kernels.moments_2d,
    peak_kernels.greatest_near_2d,
    lone_kernels.greatest_part_2d,
    lone_kernels.most_of_block_2d,
    prepare_kernels.counted_sums_2d,
)
"""In the order in which they are needed."""

OF_COUNTS = (
    drawn_kernels.same_cells_2d,
    prepare_kernels.stabilised_halves_2d,
    prepare_kernels.packed_counts_2d,
    prepare_kernels.counted_sums_2d,
)
"""Those that read the pixels as they are given."""

LONGEST = (
    (
        refine_kernels.steps_2d,
        "i8[::1], i4[:,::1], i2[:,:,::1], f8[:,::1], f8[::1], f4[:,::1], i8[::1], i4[:,::1], f8[::1],"
        "f8[:,::1], f8, f8, f8, f8, f8, f8[:,:,::1], b1, b1, f8, f8, Tuple([f8, f8, f8, f8, i8])",
    ),
    (
        refine_kernels.projected_2d,
        "i8[::1], i4[:,::1], i2[:,:,::1], f8[:,::1], f8[::1], f4[:,::1], i8[::1], i4[:,::1], f8[::1],"
        "UniTuple(i8, 2), f8",
    ),
    (
        refine_kernels.moments_2d,
        "i8[::1], i4[:,::1], i2[:,:,::1], f8[:,::1], f8[::1], f4[:,::1], i8[::1], i4[:,::1], f8[::1],"
        "UniTuple(i8, 2), b1",
    ),
    (
        search_kernels.level_scores_2d,
        "f4[:,::1], f4[:,::1], f4[:,::1], f4[:,::1], f4[:,::1], f4[:,::1], UniTuple(i8, 2), UniTuple(f8, 2),"
        "f8, f8, i8, f8, f8, b1[:,::1], b1[:,::1], f8, f8, i8, i8, i8",
    ),
    (
        residual_kernels.seen_noise_2d,
        "f4[:,::1], b1[:,::1], f4[:,::1], b1[:,::1], i8, i8, i8, i8, UniTuple(i8, 2), f8[::1], f4, i8,"
        "f8[:,:,::1]",
    ),
    (
        settle_kernels.settle_2d,
        "f4[:,::1], b1[:,::1], f4[:,::1], b1[:,::1], i8, i8, i8, f8, b1, i8, f8, f8, i8",
    ),
    (
        residual_kernels.box_sums_2d,
        "f4[:,::1], b1[:,::1], f4[:,:,::1], f4[:,::1], b1[:,::1], UniTuple(i8, 2), f8[::1], f4, i8, b1",
    ),
)
"""Those that take the compiler three quarters of the time, the longest first, and their arguments' types."""

_LOADED: set[np.dtype[Any]] = set()
"""For which types of pixels they were loaded in this process."""


@cache
def compile_together() -> None:
    """Let several processes compile, from now on, as soon as one of the kernels has to be."""
    longest = [(compiled, f"({types})") for compiled, types in LONGEST]
    on_compiling(Together(frozenset(IN_ORDER), longest))


def kernels_meanwhile(image: ArrayLike) -> AbstractContextManager[None]:
    """Load the kernels for the first image of its type during the block, where there are threads."""
    threads = scipy.fft.get_workers()
    if threads < 2 or not isinstance(image, np.ndarray) or image.ndim != 2 or image.dtype in _LOADED:
        return nullcontext()
    _LOADED.add(image.dtype)
    return meanwhile(lambda: load_kernels(image.dtype.name))


def load_kernels(dtype: str) -> None:
    """Load what is kept of the kernels of a pair of images of this type."""
    of_type = f"Array({dtype}, 2"
    for compiled in IN_ORDER:
        load_kept(compiled, of_type if compiled in OF_COUNTS else "")
