"""The table as CSV text, written and read.

The text holds what a person and a spreadsheet want, in fixed formats; the lossless record of a
run is its database. What was read and is written again gives the same bytes.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

import numpy as np

from maskreg.errors import InputError
from maskreg.registration import Registration, Status
from maskreg.shifts.columns import NAMES, REPAIRED_NAMES, columns_of, metadata_column
from maskreg.shifts.row import FrameRow, Metadata, Repaired


def write_rows(rows: Sequence[FrameRow], stream: TextIO) -> None:
    """Write the header and a line per row; a frame without some metadata has an empty cell."""
    keys = list(dict.fromkeys(key for row in rows for key in row.metadata))
    columns = columns_of(rows)
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*(column.name for column in columns), *map(metadata_column, keys)])
    for row in rows:
        ours = [format(column.value(row), column.format) for column in columns]
        writer.writerow([*ours, *(_cell(row.metadata.get(key)) for key in keys)])


def read_rows(stream: TextIO) -> Iterator[FrameRow]:
    """Yield the rows of a table that `write_rows` wrote."""
    reader = csv.DictReader(stream)
    header = tuple(reader.fieldnames or ())
    missing = [name for name in NAMES if name not in header]
    if missing:
        raise InputError(f"this is no table of shifts: the column {missing[0]!r} is missing")
    repaired = set(REPAIRED_NAMES) <= set(header)
    keys = header[len(NAMES) + (len(REPAIRED_NAMES) if repaired else 0) :]
    for line in reader:
        yield _row(line, keys, repaired=repaired)


def _cell(value: str | int | float | bool | None) -> str:
    return "" if value is None else str(value)


def _row(line: dict[str, str], keys: Iterable[str], *, repaired: bool) -> FrameRow:
    sigma = np.array([float(line["sigma_row_px"]), float(line["sigma_col_px"])])
    covariance = np.diag(sigma**2)
    covariance[0, 1] = covariance[1, 0] = float(line["cov_row_col_px2"])
    status = Status.from_label(line["status"])
    registration = Registration(
        shift=np.array([float(line["shift_row_px"]), float(line["shift_col_px"])]),
        covariance=covariance,
        score=float(line["score"]),
        significance=float(line["significance"]),
        overlap=float(line["overlap"]),
        rival=None,
        status=status,
        detail=line["reason"].removeprefix(status.sentence).removeprefix(" (").removesuffix(")"),
    )
    metadata: Metadata = {key: line[key] for key in keys if line[key] != ""}
    numbers = np.array([float(line[name]) for name in REPAIRED_NAMES]) if repaired else None
    return FrameRow(
        int(line["frame"]),
        line["source"],
        registration,
        metadata,
        None if numbers is None else Repaired(numbers[:2], numbers[2:]),
    )
