"""Images of tests, ready to be registered."""

from __future__ import annotations

import numpy as np

from maskreg.core.prepared import Prepared
from maskreg.core.pyramid import MaskPyramid
from maskreg.core.stabilise import Detector


def prepared(image, mask=None):
    """Return an image prepared, all of it valid unless told; whole numbers without sign are counts."""
    mask = np.ones(image.shape, bool) if mask is None else mask
    return Prepared(image, MaskPyramid(mask), Detector(image.dtype.kind == "u"))
