"""Arrays with named axes and coordinates (`xarray.DataArray`): known by their type, never imported."""

from __future__ import annotations

import logging
import sys
from typing import Any

from maskreg.errors import InputTypeError

log = logging.getLogger(__name__)

_AXES_OF_AN_IMAGE = {"x", "y", "row", "rows", "col", "cols", "lat", "lon", "latitude", "longitude"}
"""What the axes of an image are called: none of them is that of the frames."""

_SAME_PLACE = 0.01
"""Pixels by which two images may begin apart, and the pixels of both differ in size, as a fraction."""


def is_labelled(values: Any) -> bool:
    """Whether `values` is an `xarray.DataArray`."""
    xarray = sys.modules.get("xarray")
    return xarray is not None and isinstance(values, xarray.DataArray)


def labelled_like(template: Any, values: Any) -> Any:
    """Return `values` with the axes, coordinates and attributes of `template`, if it has any."""
    return template.copy(data=values) if is_labelled(template) else values


def unlabelled(values: Any) -> Any:
    """Return the pixels of a labelled array, computed where they are not yet; anything else as it is."""
    return values.values if is_labelled(values) else values


def ensure_no_dataset(name: str, values: Any) -> None:
    """Raise `InputTypeError` for an `xarray.Dataset`, which holds several arrays by name."""
    xarray = sys.modules.get("xarray")
    if xarray is not None and isinstance(values, xarray.Dataset):
        first = next(iter(values.data_vars), "NAME")
        raise InputTypeError(f"{name} is a Dataset; give one of its arrays, such as {name}[{first!r}]")


def warn_of_labels(reference: Any, moving: Any) -> None:
    """Say so where what two labelled images are labelled with is not what their pixels are compared by."""
    if not (is_labelled(reference) and is_labelled(moving)):
        return
    if _is_turned("moving", moving.dims, "reference", reference.dims):
        return
    for axis in reference.dims:
        _warn_of_axis(axis, _ruler(reference, axis), _ruler(moving, axis))


def warn_of_a_mask(mask: Any, image: Any, name: str = "mask", whose: str = "image") -> None:
    """Say so where a labelled mask has the axes of its image, or of each of its frames, in another order."""
    if is_labelled(mask) and is_labelled(image):
        _is_turned(name, mask.dims, whose, image.dims[-mask.ndim :])


def warn_of_order(frames: Any) -> None:
    """Say so where the first axis of a labelled series is called as an axis of an image is."""
    first, *others = frames.dims
    if str(first).lower() in _AXES_OF_AN_IMAGE:
        last = next((axis for axis in others if str(axis).lower() not in _AXES_OF_AN_IMAGE), others[-1])
        log.warning(
            "frames has the axes %s, and the first is taken for that of the frames: "
            "try frames.transpose(%r, ...)",
            ", ".join(map(str, frames.dims)),
            last,
        )


def _is_turned(name: str, axes: tuple[Any, ...], whose: str, others: tuple[Any, ...]) -> bool:
    """Whether axes of the same names come in another order, which is told: pixels are compared by it."""
    if axes == others or set(axes) != set(others):
        return False
    log.warning(
        "%s has the axes %s, %s has %s, and axes go by their order: try %s.transpose%s",
        name,
        ", ".join(map(str, axes)),
        whose,
        ", ".join(map(str, others)),
        name,
        others,
    )
    return True


def _ruler(image: Any, axis: Any) -> tuple[float, float] | None:
    """Return where an image begins along an axis and how long its pixels are, if numbers tell it."""
    if axis not in image.coords or image.coords[axis].dtype.kind not in "iuf" or image.sizes[axis] < 2:
        return None
    places = image.coords[axis].values
    return float(places[0]), float(places[-1] - places[0]) / (len(places) - 1)


def _warn_of_axis(axis: Any, here: tuple[float, float] | None, there: tuple[float, float] | None) -> None:
    if here is None or there is None:
        return
    (begin, step), (other_begin, other_step) = here, there
    if abs(other_step - step) > _SAME_PLACE * abs(step):
        log.warning(
            "a pixel of moving is %.6g along %s, one of reference %.6g: bring both to one size first",
            other_step,
            axis,
            step,
        )
    elif abs(other_begin - begin) > _SAME_PLACE * abs(step):
        log.warning(
            "moving begins at %s = %.9g, reference at %.9g: the shift is that of their pixels, not of "
            "coordinates; moved by it, moving lies at those of reference",
            axis,
            other_begin,
            begin,
        )
