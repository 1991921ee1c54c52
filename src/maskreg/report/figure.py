"""One picture that tells whether an alignment worked: before above, after below.

    reference | data          | difference
    masked    | aligned       | difference after alignment

Both differences share one colour scale, so what has gone is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.report.canvas import (
    PAPER,
    SOFT_INK,
    checked_image,
    checked_mask,
    inset,
    pillow,
    write_png,
    write_text,
)
from maskreg.report.colour import grey, palette
from maskreg.report.panel import binned, brightness_panel, contrast, difference_panel, symmetric_limit

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

PANEL = 400
"""Longer side of a panel, px."""

_MARGIN = 32
_GAP = 26
_HEADING = 34
"""Height of a panel's heading, px."""
_TITLE = 58
_CAPTION = 52
_BAR = 20
"""Width of the colour bar, px."""
_BAR_LABELS = 92

_HEADINGS = (
    ("Reference", "Data", "Difference"),
    ("Data, ignored area marked", "Aligned data", "Difference after alignment"),
)


@dataclass(frozen=True)
class _Panels:
    """What is drawn: binned images, NaN where there is nothing to show."""

    images: tuple[tuple[NDArray[np.float64], ...], ...]
    """Two rows of three; the last of each row is a difference."""
    brightness: tuple[float, float]
    """Values of black and white, counts."""
    limit: float
    """Of the differences' scale, counts: it runs from -limit to +limit."""


def draw_alignment_figure(
    reference: ArrayLike,
    moving: ArrayLike,
    aligned: ArrayLike,
    mask: ArrayLike | None,
    aligned_mask: ArrayLike | None,
    *,
    title: str,
    path: str | Path,
    shift: Sequence[float] | NDArray[np.float64] | None = None,
    uncertainty: Sequence[float] | NDArray[np.float64] | None = None,
    unit: str = "counts",
) -> Path:
    """Draw a pair before and after its alignment, and write it as PNG.

    Parameters
    ----------
    reference, moving : (rows, columns)
        The pair, as it was taken.
    aligned : (rows, columns)
        *moving*, shifted onto *reference*.
    mask : (rows, columns) bool, optional
        Of the pair, True = valid. None: all valid.
    aligned_mask : (rows, columns) bool, optional
        Of `aligned`, True = valid. None: all valid that is finite.
    title : str
        Printed on top.
    path : path
        Of the PNG.
    shift, uncertainty : (2,) float, optional
        Printed in the caption, px.
    unit : str
        Of the pixel values.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        If the images or masks differ in shape or are not two-dimensional.
    MissingExtraError
        If Pillow is not installed.
    """
    before = checked_image("reference", reference)
    data = checked_image("moving", moving, before.shape)
    after = checked_image("aligned", aligned, before.shape)
    valid = checked_mask("mask", mask, before.shape)
    aligned_valid = checked_mask("aligned_mask", aligned_mask, before.shape)
    panels = _panels(before, data, after, valid, aligned_valid)
    return write_png(_drawn(panels, title, _caption(panels, shift, uncertainty, unit), unit), Path(path))


def _panels(
    reference: NDArray[np.float64],
    moving: NDArray[np.float64],
    aligned: NDArray[np.float64],
    valid: NDArray[np.bool_],
    aligned_valid: NDArray[np.bool_],
) -> _Panels:
    def shown(image: NDArray[np.float64], use: NDArray[np.bool_] | bool = True) -> NDArray[np.float64]:
        return binned(image, np.isfinite(image) & use, PANEL)

    before = moving - reference
    after = aligned - reference
    top = (shown(reference), shown(moving), shown(before))
    bottom = (shown(moving, valid), shown(aligned, aligned_valid), shown(after, valid & aligned_valid))
    differences = [shown(before, valid), bottom[2]]
    return _Panels(
        (top, bottom), contrast([bottom[0], shown(reference, valid)]), symmetric_limit(differences)
    )


def _caption(
    panels: _Panels,
    shift: Sequence[float] | NDArray[np.float64] | None,
    uncertainty: Sequence[float] | NDArray[np.float64] | None,
    unit: str,
) -> str:
    # Pillow's font has a hyphen but no minus sign
    low, high = panels.brightness
    images = f"Images: {low:.4g} (dark) to {high:.4g} {unit} (bright), square-root scale."
    if shift is None:
        return images
    numbers = [f"{value:+.3f}" for value in shift]
    if uncertainty is not None:
        numbers = [f"{n} ± {sigma:.3f}" for n, sigma in zip(numbers, uncertainty, strict=True)]
    return f"Shift applied: {', '.join(numbers)} px (rows, columns).   {images}"


def _drawn(panels: _Panels, title: str, caption: str, unit: str) -> Image:
    """Return the whole picture: text and frames in grey first, then the coloured panels."""
    pil_image, pil_draw, _ = pillow()
    height, width = panels.images[0][0].shape
    right = _MARGIN + 3 * width + 2 * _GAP
    bottom = _TITLE + 2 * (_HEADING + height) + _GAP
    bar = (_TITLE + _HEADING, right + _GAP)
    text = pil_image.new("L", (right + _GAP + _BAR + _BAR_LABELS, bottom + _CAPTION), PAPER)
    draw = pil_draw.Draw(text)
    write_text(draw, (_MARGIN, 18), title, 26)
    write_text(draw, (_MARGIN, bottom + 16), caption, 18, SOFT_INK)
    _write_headings(draw, height, width)
    _write_bar_labels(draw, bar, bottom, panels.limit, unit)
    indices = grey(np.asarray(text))
    for corner, coloured in [*_coloured_panels(panels), (bar, _bar(bottom - bar[0]))]:
        inset(indices, corner, coloured)
    picture: Image = pil_image.fromarray(indices)
    picture.putpalette(palette().tobytes())
    return picture


def _corner(row: int, column: int, height: int, width: int) -> tuple[int, int]:
    """Return where a panel of the given size lies: top and left, px."""
    top = _TITLE + _HEADING + row * (_HEADING + height + _GAP)
    return top, _MARGIN + column * (width + _GAP)


def _write_headings(draw: ImageDraw, height: int, width: int) -> None:
    for row, headings in enumerate(_HEADINGS):
        for column, heading in enumerate(headings):
            top, left = _corner(row, column, height, width)
            write_text(draw, (left, top - 27), heading, 19)


def _coloured_panels(panels: _Panels) -> Iterator[tuple[tuple[int, int], NDArray[np.uint8]]]:
    """Yield the corner and the palette indices of each panel."""
    for row, (*images, difference) in enumerate(panels.images):
        drawn = [brightness_panel(image, *panels.brightness) for image in images]
        drawn.append(difference_panel(difference, panels.limit))
        for column, panel in enumerate(drawn):
            yield _corner(row, column, *panel.shape), panel


def _bar(height: int) -> NDArray[np.uint8]:
    """Return the differences' scale, greatest value on top: (height, _BAR) palette indices."""
    return difference_panel(np.linspace(1.0, -1.0, height)[:, None].repeat(_BAR, axis=1), 1.0)


def _write_bar_labels(draw: ImageDraw, corner: tuple[int, int], bottom: int, limit: float, unit: str) -> None:
    """Write the unit above the bar and five numbers beside it."""
    top, left = corner
    write_text(draw, (left, top - 27), unit, 19)
    for part in (-1.0, -0.5, 0.0, 0.5, 1.0):
        y = top + round((1.0 - part) / 2.0 * (bottom - top - 1))
        draw.line((left + _BAR, y, left + _BAR + 6, y), fill=SOFT_INK)
        label = f"{part * limit:+.4g}" if part else "0"
        # the outermost numbers stay within the height of the bar
        write_text(draw, (left + _BAR + 11, min(max(y, top + 8), bottom - 9)), label, 18, anchor="lm")
