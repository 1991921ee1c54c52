"""What a network or a disk refuses once is asked for once more: a moment's fault must cost no frame."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

PAUSE = 0.5
"""Between the two, s: long beside what a busy server needs, short beside a run with some broken frames."""

_NAMES = (
    "EIO EREMOTEIO ESTALE ETIMEDOUT EAGAIN EBUSY ENOLINK "
    "ENOTCONN ECONNRESET ECONNABORTED EHOSTDOWN EHOSTUNREACH ENETDOWN ENETUNREACH ENETRESET"
)

PASSING = {getattr(errno, name) for name in _NAMES.split() if hasattr(errno, name)}
"""The errors that may be over in a moment."""

PATIENT_FOR = 20
"""So many times in a row; a disk that is broken must not cost a pause for each of its frames."""

_in_vain = 0


def once_more(read: Callable[[], Result]) -> Result:
    """Return what `read` returns, and ask it twice if the system refuses the first time for what may pass."""
    global _in_vain
    try:
        result = read()
    except OSError as error:
        if error.errno not in PASSING or _in_vain >= PATIENT_FOR:
            raise
        _in_vain += 1
        time.sleep(PAUSE)
        result = read()
    _in_vain = 0
    return result
