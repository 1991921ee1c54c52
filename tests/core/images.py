"""Images of tests, ready to be registered."""

from __future__ import annotations

import numpy as np

from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import MaskPyramid
from maskreg.core.image.stabilise import Detector


def prepared(image, mask=None):
    """Return an image prepared, all of it valid unless told; whole numbers without sign are counts."""
    mask = np.ones(image.shape, bool) if mask is None else mask
    return Prepared(image, MaskPyramid(mask), Detector(image.dtype.kind == "u"))
