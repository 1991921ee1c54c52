"""Figures with matplotlib, for notebooks and papers: numbers in, axes out.

matplotlib is optional (``maskreg[plot]``) and imported when something is drawn. Each function
draws into axes of yours or into a new figure, and returns what it drew into.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskreg.errors import InputError, MissingExtraError
from maskreg.registration import Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, PURPLE = "#2b86c5", "#d97706", "#c4519b"
"""Told apart by every kind of colour vision."""


class Shifts(Protocol):
    """What `drift` needs of an alignment (`maskreg.Alignment` has it)."""

    @property
    def shifts(self) -> NDArray[np.float64]:
        """(n, 2), px."""

    @property
    def uncertainty(self) -> NDArray[np.float64]:
        """(n, 2), px."""

    @property
    def status(self) -> list[Status]:
        """Of each frame."""


class Lags(Protocol):
    """What `ncc_map` needs of a correlation map (`maskreg.CorrelationMap` has it)."""

    @property
    def ncc(self) -> NDArray[Any]:
        """Masked NCC per lag."""

    @property
    def likelihood(self) -> NDArray[np.float64]:
        """Log-likelihood per lag."""

    @property
    def lags(self) -> tuple[NDArray[np.intp], ...]:
        """The lags along each axis, px."""


def drift(alignment: Shifts, axes: Axes | None = None) -> Axes:
    """Draw where the content of each frame lies (minus the shift), with bands of 1 sigma.

    Parameters
    ----------
    alignment : Alignment
        What `maskreg.align` returned. Frames that are not ok are marked with a cross, those
        without a shift on the lower edge.
    axes : matplotlib Axes, optional
        To draw into; a new figure unless given.

    Returns
    -------
    Axes

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    axes = _axes(axes, (7.0, 3.2))
    place, sigma = -alignment.shifts, alignment.uncertainty
    ok = np.array([status.ok for status in alignment.status], dtype=bool)
    frame = np.arange(len(place))
    for axis, (name, colour, line) in enumerate((("rows", BLUE, "o-"), ("columns", ORANGE, "s--"))):
        value, band = place[ok, axis], sigma[ok, axis]
        axes.fill_between(frame[ok], value - band, value + band, color=colour, alpha=0.25, linewidth=0)
        axes.plot(frame[ok], value, line, color=colour, markersize=3, linewidth=1.2, label=name)
        flagged = ~ok & np.isfinite(place[:, axis])
        axes.plot(frame[flagged], place[flagged, axis], "x", color=PURPLE)
    lost = ~ok & np.isnan(place[:, 0])
    axes.plot(frame[lost], np.zeros(lost.sum()), "x", color=PURPLE, transform=axes.get_xaxis_transform())
    axes.set(xlabel="frame", ylabel="drift, px")
    axes.legend(frameon=False, ncols=2)
    return axes


def before_after(
    reference: ArrayLike,
    moving: ArrayLike,
    aligned: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    axes: Any = None,
) -> NDArray[Any]:
    """Draw the reference and the differences to it before and after, both on one symmetric scale.

    Parameters
    ----------
    reference, moving, aligned : (rows, cols) array_like
        `aligned` is what `maskreg.shift_image` made of `moving`; its NaNs stay empty.
    mask : (rows, cols) array_like of bool, optional
        True = valid; what is ignored stays empty.
    axes : three matplotlib Axes, optional
        To draw into; a new figure unless given.

    Returns
    -------
    (3,) ndarray of Axes

    Raises
    ------
    InputError
        If the shapes differ, or there are not three axes.
    MissingExtraError
        If matplotlib is not installed.
    """
    first = _image("reference", reference, None)
    before, after = (_image(n, i, first.shape) for n, i in (("moving", moving), ("aligned", aligned)))
    valid = np.ones(first.shape, bool) if mask is None else np.asarray(mask, dtype=bool)
    if valid.shape != first.shape:
        raise InputError(f"mask has shape {valid.shape}, the reference has {first.shape}; they must agree")
    differences = [np.where(valid, image - first, np.nan) for image in (before, after)]
    if axes is None:
        axes = _pyplot().subplots(1, 3, figsize=(10.0, 3.4), sharex=True, sharey=True, layout="constrained")[
            1
        ]
    axes = np.ravel(axes)
    if len(axes) != 3:
        raise InputError(f"axes holds {len(axes)} of them; it takes three")
    seen = first[valid & np.isfinite(first)]
    low, high = np.percentile(seen, [0.5, 99.5]) if seen.size else (0.0, 1.0)
    axes[0].imshow(np.where(valid, first, np.nan), cmap="inferno", vmin=low, vmax=high)
    sizes = np.abs(np.concatenate([d[np.isfinite(d)] for d in differences]))
    limit = float(np.percentile(sizes, 99)) if sizes.size else 1.0
    for panel, difference in zip(axes[1:], differences, strict=True):
        drawn = panel.imshow(difference, cmap="RdBu_r", vmin=-limit, vmax=limit)
    axes[0].figure.colorbar(drawn, ax=list(axes[1:]))
    for panel, title in zip(axes, ("reference", "difference before", "difference after"), strict=True):
        panel.set_title(title)
    return np.asarray(axes)


def ncc_map(correlation: Lags, axes: Axes | None = None) -> Axes:
    """Draw the masked NCC at every lag, forbidden ones empty, and mark the most likely one, if any is.

    Parameters
    ----------
    correlation : CorrelationMap
        Of images with one or two axes, without batch axes.
    axes : matplotlib Axes, optional
        To draw into; a new figure unless given.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the map has another number of axes.
    MissingExtraError
        If matplotlib is not installed.
    """
    ncc, lags = correlation.ncc, correlation.lags
    if ncc.ndim != len(lags) or ncc.ndim not in (1, 2):
        raise InputError(f"the map has {ncc.ndim} axes; those of one or two are drawn, without a batch")
    axes = _axes(axes, (5.0, 4.2))
    best = np.unravel_index(int(np.argmax(correlation.likelihood)), ncc.shape)
    any_likely = np.isfinite(correlation.likelihood[best])
    if ncc.ndim == 1:
        axes.plot(lags[0], ncc, color=BLUE)
        if any_likely:
            axes.axvline(lags[0][best[0]], color=ORANGE, linestyle="--", label="most likely")
        axes.set(xlabel="shift, px", ylabel="masked NCC")
    else:
        rows, cols = lags
        edges = (cols[0] - 0.5, cols[-1] + 0.5, rows[-1] + 0.5, rows[0] - 0.5)
        drawn = axes.imshow(ncc, cmap="cividis", extent=edges, interpolation="nearest")
        if any_likely:
            place = cols[best[1]], rows[best[0]]
            axes.plot(*place, "o", color="white", markeredgecolor="black", label="most likely")
        axes.set(xlabel="column shift, px", ylabel="row shift, px")
        axes.figure.colorbar(drawn, ax=axes, label="masked NCC")
    if any_likely:
        axes.legend(loc="upper right")
    return axes


def _axes(axes: Axes | None, size: tuple[float, float]) -> Any:
    pyplot = _pyplot()
    return pyplot.subplots(figsize=size, layout="constrained")[1] if axes is None else axes


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise MissingExtraError(
            'maskreg.plot needs matplotlib, which is not installed: python -m pip install "maskreg[plot]"'
        ) from None
    return pyplot


def _image(name: str, image: ArrayLike, shape: tuple[int, ...] | None) -> NDArray[np.float64]:
    pixels = np.ma.filled(np.ma.asarray(image).astype(np.float64), np.nan)
    if pixels.ndim != 2:
        raise InputError(f"{name} has {pixels.ndim} axes; images of two are drawn")
    if shape is not None and pixels.shape != shape:
        raise InputError(f"{name} has shape {pixels.shape}, the reference has {shape}; they must agree")
    return pixels
