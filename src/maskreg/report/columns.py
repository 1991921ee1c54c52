"""The series as the columns that its plots draw, thinned; names are given here, plots use them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.report.data import Jump, SeriesData
from maskreg.report.thinning import thinned

Columns = dict[str, Any]

AXES = ("row", "col")


def good_columns(series: SeriesData, jumps: Iterable[Jump] = ()) -> Columns:
    """Return the frames that are ok, with drift and 1-sigma band per axis, thinned beside the jumps."""
    ok = np.flatnonzero(series.ok)
    keep = np.isin(series.frame[ok], _beside(jumps))
    rows = ok[thinned(np.column_stack([series.drift[ok], series.score[ok]]), keep)]
    columns = _common(series, rows)
    for axis, name in enumerate(AXES):
        drift, sigma = series.drift[rows, axis], series.sigma[rows, axis]
        columns |= {f"{name}_low": drift - sigma, f"{name}_high": drift + sigma}
    columns["sigma"] = _measured(series.sigma.max(axis=1, initial=0.0), series, rows)
    return columns


def flagged_columns(series: SeriesData) -> Columns:
    """Return all frames that are not ok; those without a shift are put below the drift."""
    rows = np.flatnonzero(~series.ok)
    columns = _common(series, rows)
    good = series.drift[series.ok]
    low, high = (float(good.min()), float(good.max())) if good.size else (0.0, 1.0)
    floor = low - 0.12 * max(high - low, 0.1)
    for name in AXES:
        drift = columns[f"drift_{name}"]
        columns[f"mark_{name}"] = np.where(np.isnan(drift), floor, drift)
    return columns


def jump_columns(series: SeriesData, jumps: Iterable[Jump]) -> Columns:
    """Return where to draw the jumps: halfway to the frame before."""
    jumps = list(jumps)
    place = {int(frame): index for index, frame in enumerate(series.frame)}
    known = [jump for jump in jumps if jump.frame in place]
    here = np.array([place[jump.frame] for jump in known], dtype=np.intp)
    x = (series.x[here] + series.x[np.maximum(here - 1, 0)]) / 2 if len(known) else np.zeros(0)
    return {
        "x": x,
        "frame": [jump.frame for jump in known],
        "size": [f"{-jump.size[0]:+.2f}, {-jump.size[1]:+.2f} px" for jump in known],
    }


def _common(series: SeriesData, rows: NDArray[np.intp]) -> Columns:
    return {
        "x": series.x[rows],
        "frame": series.frame[rows],
        "source": [series.source[row] for row in rows],
        "status": [series.status[row] for row in rows],
        "reason": [series.reason[row] for row in rows],
        "drift_row": series.drift[rows, 0],
        "drift_col": series.drift[rows, 1],
        "score": _measured(series.score, series, rows),
        "overlap": _measured(series.overlap, series, rows),
    }


def _measured(values: NDArray[np.float64], series: SeriesData, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return values without the reference's own: set by definition, they would hide how all others differ."""
    return np.where(series.reference[rows], np.nan, values[rows])


def _beside(jumps: Iterable[Jump]) -> list[int]:
    return [frame for jump in jumps for frame in (jump.frame - 1, jump.frame)]
