"""The palette of the figure: one colour scale for brightness, one for signed differences, greys.

Both scales are lines in Oklab (B. Ottosson, *A perceptual color space for image processing*,
2020), where equal steps look equally large, so no ring appears that is not in the data.
Lightness alone tells the values apart: they survive grey print and colour blindness.

A picture is an array of indices into the palette: a third of the file of full colour, and
exact, since nothing else is ever drawn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEVELS = 81
"""Colours per scale; odd, so that a difference of zero is exactly white."""

BRIGHTNESS = 0
"""Index of the first colour of the brightness scale."""
DIFFERENCE = LEVELS
"""Index of the first colour of the difference scale."""
HATCH = 2 * LEVELS
"""Index of the ground of ignored areas; the next one is their stripes."""
GREY = 2 * LEVELS + 2
"""Index of the first of the greys, black to white, that fill the palette up to 256."""

_HATCH_COLOURS = ((214, 216, 214), (189, 192, 190))
"""A neutral tone that neither scale contains, sRGB."""

# Oklab to the cube roots of the cones' signals, and those signals to linear sRGB (Ottosson)
_LAB_TO_CONES = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_CONES_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def brightness_scale() -> NDArray[np.uint8]:
    """Return black - violet - red - orange - white, lightness rising evenly.

    Returns
    -------
    (LEVELS, 3) uint8
        sRGB, dark to bright.
    """
    t = np.linspace(0.0, 1.0, LEVELS)
    lightness = 0.02 + 0.95 * t
    chroma = 0.19 * np.sin(np.pi * t**0.9) ** 0.8
    hue = np.radians(295.0 + 170.0 * t)
    return _srgb(lightness, chroma, hue)


def difference_scale() -> NDArray[np.uint8]:
    """Return blue - white - red, both arms equally dark at equal distance from zero.

    Returns
    -------
    (LEVELS, 3) uint8
        sRGB, from the most negative to the most positive.
    """
    t = np.linspace(-1.0, 1.0, LEVELS)
    lightness = 0.985 - 0.62 * np.abs(t) ** 1.15
    chroma = 0.17 * np.sin(0.5 * np.pi * np.minimum(np.abs(t) * 1.15, 1.0))
    hue = np.radians(np.where(t < 0, 255.0, 28.0))
    return _srgb(lightness, chroma, hue)


def palette() -> NDArray[np.uint8]:
    """Return all colours that a figure uses: (256, 3) uint8 sRGB."""
    greys = np.linspace(0, 255, 256 - GREY).round().astype(np.uint8)[:, None].repeat(3, axis=1)
    hatch = np.array(_HATCH_COLOURS, dtype=np.uint8)
    return np.concatenate([brightness_scale(), difference_scale(), hatch, greys])


def level(part: NDArray[np.float64], first: int) -> NDArray[np.uint8]:
    """Return the palette indices of values on one of the scales.

    Parameters
    ----------
    part : float64
        From 0, the scale's first colour, to 1, its last; what lies outside gets the end
        colours, NaN the first.
    first : int
        `BRIGHTNESS` or `DIFFERENCE`.

    Returns
    -------
    uint8, of the shape of `part`
    """
    inside = np.clip(np.nan_to_num(part), 0.0, 1.0)
    indices: NDArray[np.uint8] = (first + np.rint(inside * (LEVELS - 1))).astype(np.uint8)
    return indices


def grey(lightness: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the palette indices of greys, 0 (black) to 255 (white)."""
    steps = 255 - GREY
    indices: NDArray[np.uint8] = (GREY + np.rint(lightness * (steps / 255.0))).astype(np.uint8)
    return indices


def _srgb(
    lightness: NDArray[np.float64], chroma: NDArray[np.float64], hue: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Return (n, 3) uint8 sRGB of colours in Oklab's cylinder; what has no sRGB is clipped."""
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)
    linear = np.clip((lab @ _LAB_TO_CONES.T) ** 3 @ _CONES_TO_RGB.T, 0.0, 1.0)
    # transfer curve of sRGB, IEC 61966-2-1
    curved: NDArray[np.float64] = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1.0 / 2.4) - 0.055
    )
    colours: NDArray[np.uint8] = np.rint(255.0 * curved).astype(np.uint8)
    return colours
