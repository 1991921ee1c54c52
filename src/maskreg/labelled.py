"""Arrays with named axes and coordinates (`xarray.DataArray`): known by their type, never imported."""

from __future__ import annotations

import sys
from typing import Any


def is_labelled(values: Any) -> bool:
    """Whether `values` is an `xarray.DataArray`."""
    xarray = sys.modules.get("xarray")
    return xarray is not None and isinstance(values, xarray.DataArray)


def labelled_like(template: Any, values: Any) -> Any:
    """Return `values` with the axes, coordinates and attributes of `template`, if it has any."""
    return template.copy(data=values) if is_labelled(template) else values
