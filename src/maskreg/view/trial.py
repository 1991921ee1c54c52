"""What a mask does to the registration of a frame."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.errors import MaskregError
from maskreg.options import Options
from maskreg.registration import Registration


def tried(
    reference: NDArray[Any], moving: NDArray[Any], mask: NDArray[np.bool_] | None, options: Options
) -> Registration:
    """Register a frame with a mask."""
    from maskreg.core.register import register

    return register(reference, moving, mask, mask, **asdict(options))


def told(answer: Registration | MaskregError) -> str:
    """Return what came of it in one line."""
    if isinstance(answer, MaskregError):
        return str(answer)
    if not answer.status.keeps_shift:
        return f"{answer.status.label}: {answer.reason}"
    return f"shift {answer.shift_text} px, {answer.status.label}, score {answer.score:.3f}"
