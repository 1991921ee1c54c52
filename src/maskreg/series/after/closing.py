"""The closing pass: what needs the whole series, from the rows as they were registered.

`align`, a run that goes on and `watch` all end here, so they end in the same table. The record
keeps the rows as they were registered: it can be closed again when the series has grown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskreg.registration import Registration, Status
from maskreg.series.after.drift import Jump, find_jumps, find_outliers, interpolate
from maskreg.shifts import FrameRow, Repaired, ShiftTable


def closed(rows: Iterable[FrameRow], *, repair: bool = False) -> ShiftTable:
    """Return the table of a series: rows that contradict their neighbours become outliers.

    Parameters
    ----------
    rows : iterable of FrameRow
        In the order of the series.
    repair : bool
        Give every row a `Repaired` shift: its own if it is ok, else one between those that are.
    """
    rows = list(rows)
    shifts, covariances, good = _arrays(rows)
    outlier = find_outliers(shifts, covariances, good)
    values, _ = interpolate(shifts, covariances, good & ~outlier)
    for place in np.flatnonzero(outlier):
        rows[place] = _as_outlier(rows[place], values[place])
    return ShiftTable(_repaired(rows) if repair else rows)


def jumps_of(table: ShiftTable) -> list[Jump]:
    """Return where the drift of a closed table jumps."""
    return find_jumps(*_arrays(table.rows))


def _arrays(
    rows: Iterable[FrameRow],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return shifts (n, 2), covariances (n, 2, 2), and which rows are ok."""
    answers = [row.registration for row in rows]
    shifts = np.array([answer.shift for answer in answers]).reshape(-1, 2)
    covariances = np.array([answer.covariance for answer in answers]).reshape(-1, 2, 2)
    return shifts, covariances, np.array([answer.ok for answer in answers], dtype=bool)


def _as_outlier(row: FrameRow, expected: NDArray[np.float64]) -> FrameRow:
    if row.registration.status is Status.REFERENCE:
        return row  # its shift is zero by definition; then it is the image that is unlike the others
    detail = f"between its neighbours lies {expected[0]:.2f}, {expected[1]:.2f} px"
    return row._replace(registration=replace(row.registration, status=Status.OUTLIER, detail=detail))


def _repaired(rows: list[FrameRow]) -> Iterable[FrameRow]:
    shifts, sigmas = interpolate(*_arrays(rows))
    for row, shift, sigma in zip(rows, shifts, sigmas, strict=True):
        own: Registration = row.registration
        yield row._replace(
            repaired=Repaired(own.shift, own.uncertainty) if own.ok else Repaired(shift, sigma)
        )
