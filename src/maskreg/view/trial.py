"""What a mask does to the registration of a frame."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskreg.options import Options
from maskreg.registration import Registration


def tried(
    reference: NDArray[Any], moving: NDArray[Any], mask: NDArray[np.bool_] | None, options: Options
) -> str:
    """Register a frame with a mask, and return what came of it."""
    from maskreg.core.register import register

    return _told(register(reference, moving, mask, mask, **asdict(options)))


def _told(answer: Registration) -> str:
    if not answer.status.keeps_shift:
        return f"{answer.status.label}: {answer.reason}"
    shift = ", ".join(f"{s:+.3f} ± {u:.3f}" for s, u in zip(answer.shift, answer.uncertainty, strict=True))
    return f"shift {shift} px, {answer.status.label}, score {answer.score:.3f}"
