"""The reference by a condition on metadata: the mean of the frames that meet it, ``delay<0``.

Frames drift, so a plain mean would be blurred. The frames are registered to the first of them
that can be used, each moved onto it and added where it is valid; the sum is divided by how often
each pixel was valid. One frame is in memory at a time. A frame that is not ok is left out. The
mean keeps the place of that first frame.

The noise of the mean is shared with the frames in it: among k frames, one k-th of their own
noise is in what they are registered to afterwards.
"""

from __future__ import annotations

import difflib
import logging
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import FrameError, InputError
from maskreg.frames import FrameSource
from maskreg.frames.source import metadata_of
from maskreg.options import Options

log = logging.getLogger(__name__)

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_OPERATOR = re.compile("|".join(map(re.escape, _OPERATORS)))
_TERM = re.compile(
    rf"\s*(\w[^<>=!'\"]*?)\s*({_OPERATOR.pattern})\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*"
)


@dataclass(frozen=True)
class Term:
    """One comparison of a column with a number.

    Attributes
    ----------
    column : str
        Of the metadata.
    sign : str
        ``<``, ``<=``, ``>``, ``>=``, ``==`` or ``!=``.
    number : float
        In the unit of the column.
    """

    column: str
    sign: str
    number: float

    def holds(self, value: Any) -> bool:
        """Whether `value` meets the term; an unknown value or NaN meets none."""
        return value is not None and value == value and _OPERATORS[self.sign](value, self.number)


def is_condition(text: str) -> bool:
    """Whether a reference given as text is meant as a condition, not as the name of a file."""
    return _OPERATOR.search(text) is not None


def parse_condition(text: str) -> list[Term]:
    """Return the terms of a condition, all of which must hold.

    Raises
    ------
    InputError
        When it is none: which part of it.
    """
    terms = []
    for part in re.split(r"\band\b", text):
        match = _TERM.fullmatch(part)
        if match is None:
            raise InputError(
                f"reference is {text!r}, of which '{part.strip()}' is no condition; it looks like delay<0 or "
                f"'delay<0 and scan==1', with {' '.join(_OPERATORS)}"
            )
        terms.append(Term(match[1], match[2], float(match[3])))
    return terms


def frames_that_meet(condition: str, source: FrameSource) -> list[int]:
    """Return which frames meet a condition on their metadata, at least one.

    Raises
    ------
    InputError
        When no frame does, or there is no such column, or it holds text.
    """
    terms = parse_condition(condition)
    rows = [metadata_of(source, frame) for frame in range(len(source))]
    for term in terms:
        _check_column(term.column, rows, source)
    found = [frame for frame, row in enumerate(rows) if all(t.holds(row.get(t.column)) for t in terms)]
    if not found:
        raise InputError(f"no frame meets the condition {condition}: {_ranges(terms, rows)}")
    return found


def mean_of(
    frames: Sequence[int], source: FrameSource, mask: NDArray[np.bool_] | None, options: Options
) -> NDArray[Any]:
    """Return the mean of some frames of a series, each moved onto the first that can be read.

    Parameters
    ----------
    frames : sequence of int
        Which ones, at least one.
    source : FrameSource
        The series.
    mask : (rows, cols) array of bool, optional
        True where pixels are valid, the same for all frames.
    options : Options
        How they are registered.

    Returns
    -------
    (rows, cols) array of float64
        In the grey values of the frames; NaN where no frame is valid.

    Raises
    ------
    InputError
        When none of the frames can be used.
    """
    # here, because they bring the compiler of the kernels, for which who reads a run need not wait
    from maskreg.apply.shift_image import shift_image
    from maskreg.core.registrar import Registrar

    registrar: Registrar | None = None
    total, count = np.zeros(source.shape), np.zeros(source.shape, dtype=np.int64)
    added, problems = 0, []
    for frame in frames:
        try:
            image = source.read(frame)
            if registrar is None:
                registrar = Registrar(image, mask, mask, **asdict(options))
                shift = np.zeros(2)
            else:
                answer = registrar(image)
                if not answer.ok:
                    raise FrameError(f"{source.name(frame)}: {answer.status.label}: {answer.reason}")
                shift = answer.shift
        except (FrameError, InputError) as error:
            problems.append(str(error))
            continue
        moved, valid = shift_image(image, shift, mask)
        total[valid] += moved[valid]
        count += valid
        added += 1
    if not added:
        raise InputError(f"none of the {len(frames)} frames of the reference can be used: {problems[0]}")
    log.info("the reference is the mean of %d frames", added)
    if problems:
        log.warning("%d frames are left out of the reference; the first: %s", len(problems), problems[0])
    total[count == 0] = np.nan
    mean: NDArray[np.float64] = total / np.maximum(count, 1)
    return mean


def _check_column(column: str, rows: Sequence[dict[str, Any]], source: FrameSource) -> None:
    """Refuse a condition on what is not known, or is no number."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if column not in columns:
        close = difflib.get_close_matches(column, columns, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else f", but {', '.join(columns)}" if columns else ""
        where = "" if columns else "; --pattern or --metadata (pattern=, metadata=) tell them"
        raise InputError(f"the frames have no metadata '{column}'{hint}{where}")
    for frame, row in enumerate(rows):
        if isinstance(row.get(column), str):
            raise InputError(
                f"'{column}' of {source.name(frame)} is the text {row[column]!r}; conditions compare numbers"
            )


def _ranges(terms: Sequence[Term], rows: Sequence[dict[str, Any]]) -> str:
    texts = []
    for column in dict.fromkeys(term.column for term in terms):
        values = [row[column] for row in rows if row.get(column) is not None and row[column] == row[column]]
        texts.append(f"{column} runs from {min(values)} to {max(values)}" if values else f"{column} is empty")
    return ", ".join(texts)
