"""The verdict: one line that says whether it worked."""

from __future__ import annotations

import numpy as np

from maskreg.report.data import SeriesData


def verdict(series: SeriesData, jumps: int, total: int | None = None) -> str:
    """Return "612 of 640 frames ok; drift 14.2 px; median uncertainty 0.012 px; 3 jumps".

    Parameters
    ----------
    series : SeriesData
    jumps : int
        How often the drift jumps.
    total : int, optional
        Frames in the series, when not all of them are done.
    """
    done = len(series)
    parts = [f"{int(series.ok.sum())} of {done} frames ok"]
    if total is not None and done < total:
        parts.insert(0, f"{done} of {total} frames done")
    found = series.ok & ~series.reference
    if found.any():
        parts.append(f"drift {extent(series):.1f} px")
        parts.append(f"median uncertainty {_rounded(float(np.median(series.sigma[found])))} px")
    parts.append("1 jump" if jumps == 1 else f"{jumps or 'no'} jumps")
    return "; ".join(parts)


def extent(series: SeriesData) -> float:
    """Return the greatest distance of an ok frame from the reference, px."""
    return float(np.hypot(*series.shift[series.ok].T).max(initial=0.0))


def _rounded(value: float) -> str:
    """Return a value with two digits, three decimals at least."""
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1g}"
