"""A frame as a row of the record.

Numbers are stored as 8-byte floats, so what is written from the record of a resumed run has the bytes of an
uninterrupted one. NaN is stored as NULL (SQLite has no NaN).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from maskreg.registration import Registration, Rival, Status

Entry = tuple[int, str, Registration, dict[str, Any]]
"""A frame's index, source, registration and metadata."""

FRAMES = """\
CREATE TABLE frames (
    frame INTEGER NOT NULL,
    source TEXT PRIMARY KEY,
    shift_row REAL, shift_col REAL,
    cov_row_row REAL, cov_row_col REAL, cov_col_col REAL,
    score REAL, significance REAL, overlap REAL,
    rival_row INTEGER, rival_col INTEGER, rival_gap REAL,
    status TEXT NOT NULL,
    detail TEXT NOT NULL,
    metadata TEXT NOT NULL
);"""
"""The table of these rows, as `values_of` gives their columns."""


def values_of(
    frame: int, source: str, registration: Registration, metadata: Mapping[str, Any]
) -> tuple[Any, ...]:
    """Return the values of a row, in the order of its columns."""
    rival = registration.rival
    (row_row, row_col), (_, col_col) = registration.covariance.tolist()
    return (
        frame,
        source,
        *registration.shift.tolist(),
        *(row_row, row_col, col_col),
        float(registration.score),
        float(registration.significance),
        float(registration.overlap),
        *((int(rival.shift[0]), int(rival.shift[1]), float(rival.gap)) if rival else (None, None, None)),
        registration.status.label,
        registration.detail,
        json.dumps(dict(metadata)),
    )


def entry_of(values: tuple[Any, ...]) -> Entry:
    """Return the frame that a row tells of."""
    frame, source, *numbers = values[:10]
    rival_row, rival_col, rival_gap, status, detail, metadata = values[10:]
    row, col, row_row, row_col, col_col, score, significance, overlap = (
        float("nan") if number is None else number for number in numbers
    )
    registration = Registration(
        shift=np.array([row, col]),
        covariance=np.array([[row_row, row_col], [row_col, col_col]]),
        score=score,
        significance=significance,
        overlap=overlap,
        rival=None if rival_row is None else Rival((rival_row, rival_col), rival_gap),
        status=Status.from_label(status),
        detail=detail,
    )
    return frame, source, registration, json.loads(metadata)
