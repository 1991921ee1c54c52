"""An image as transforms read it: its pixels as given, and what makes deviations of them.

They are made where they are used, in registers. An array of them would be written and read again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Deviations(NamedTuple):
    """Deviations of the valid pixels, 0 where ignored.

    Attributes
    ----------
    values : ndarray of float32 or float64
        Contiguous; finite where valid.
    mask : ndarray of bool
        True = valid.
    scale, mean, factor : float
        A pixel's deviation is its value times `scale`, less `mean`, times `factor`, in double precision.
    """

    values: NDArray[Any]
    mask: NDArray[np.bool_]
    scale: float = 1.0
    mean: float = 0.0
    factor: float = 1.0

    def array(self, dtype: Any) -> NDArray[Any]:
        """Return them, of the shape of the image."""
        from maskreg.core.ncc.bound_kernels import unit_deviations

        out = np.empty(self.mask.shape, dtype)
        unit_deviations(self.values.reshape(-1), self.mask.reshape(-1), *self[2:], out.reshape(-1))
        return out
