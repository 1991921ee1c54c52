"""maskreg: masked image registration.

The most likely shift between two images of which parts must be ignored, to a small fraction
of a pixel, with its uncertainty; for pairs and for series of hundreds of gigabytes.

This file is the contents page. Names are loaded when first used, so that ``import maskreg``
costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from maskreg._version import __version__

if TYPE_CHECKING:
    from maskreg.apply.shift_image import shift_image
    from maskreg.core.lags.correlate import CorrelationMap, correlate
    from maskreg.core.register import register
    from maskreg.core.registrar import Registrar
    from maskreg.frames import FrameSource, open_frames
    from maskreg.options import Options
    from maskreg.registration import Registration, Rival, Status
    from maskreg.series import Alignment, align, open_run
    from maskreg.series.mask.find_mask import FoundMask, find_mask

_CONTENTS = {
    "register": "maskreg.core.register",
    "correlate": "maskreg.core.lags.correlate",
    "CorrelationMap": "maskreg.core.lags.correlate",
    "Registrar": "maskreg.core.registrar",
    "Registration": "maskreg.registration",
    "Rival": "maskreg.registration",
    "Status": "maskreg.registration",
    "align": "maskreg.series",
    "Alignment": "maskreg.series",
    "open_run": "maskreg.series",
    "find_mask": "maskreg.series.mask.find_mask",
    "FoundMask": "maskreg.series.mask.find_mask",
    "shift_image": "maskreg.apply.shift_image",
    "open_frames": "maskreg.frames",
    "FrameSource": "maskreg.frames",
    "Options": "maskreg.options",
}

__all__ = [
    "Alignment",
    "CorrelationMap",
    "FoundMask",
    "FrameSource",
    "Options",
    "Registrar",
    "Registration",
    "Rival",
    "Status",
    "__version__",
    "align",
    "correlate",
    "find_mask",
    "open_frames",
    "open_run",
    "register",
    "shift_image",
]


def __getattr__(name: str) -> Any:
    if name not in _CONTENTS:
        raise AttributeError(f"module 'maskreg' has no attribute {name!r}")
    value = getattr(import_module(_CONTENTS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
