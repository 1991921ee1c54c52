"""Electron powder diffraction of chromium: where its rings are and how strong.

Kinematic scattering by randomly oriented body-centred cubic crystals much thinner than an
extinction length; B. K. Vainshtein, *Structure Analysis by Electron Diffraction*, Pergamon,
1964. All lengths in Å, s = sin(theta)/lambda = 1/(2d) in Å⁻¹.
"""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LATTICE = 2.885
"""Lattice parameter of chromium at room temperature, Å."""

DEBYE_WALLER = 0.25
"""B of chromium at room temperature, Å²: the intensity falls as exp(-2 B s²)."""

_ATOMIC_NUMBER = 24

# X-ray form factor of Cr, f(s) = sum a exp(-b s²) + c: D. T. Cromer and J. B. Mann,
# Acta Cryst. A24, 321 (1968); International Tables for Crystallography C, table 6.1.1.4
_A = np.array([10.6406, 7.3537, 3.3240, 1.4922])
_B = np.array([6.1038, 0.3920, 20.2626, 98.7399])
_C = 1.1832

_MOTT_BETHE = 0.023934
"""m e² / (8 pi epsilon_0 h²), Å⁻¹."""


class Reflections(NamedTuple):
    """The allowed powder reflections, innermost first; arrays of one length."""

    index_sum: NDArray[np.int64]
    """h² + k² + l²: 2, 4, 6, ... for 110, 200, 211, ..."""
    multiplicity: NDArray[np.int64]
    """Number of lattice planes (signs and orders of h, k, l) that share the ring."""
    spacing: NDArray[np.float64]
    """d, Å."""


def reflections(largest_index_sum: int) -> Reflections:
    """Return the reflections that a body-centred lattice allows: h + k + l even.

    Parameters
    ----------
    largest_index_sum : int
        Greatest h² + k² + l² listed.

    Returns
    -------
    Reflections
        All but the direct beam 000.
    """
    order = int(np.sqrt(largest_index_sum))
    planes = Counter(
        sum(index**2 for index in hkl)
        for hkl in product(range(-order, order + 1), repeat=3)
        if sum(hkl) % 2 == 0
    )
    sums = np.array(sorted(n for n in planes if 0 < n <= largest_index_sum))
    multiplicity = np.array([planes[n] for n in sums.tolist()])
    return Reflections(sums, multiplicity, LATTICE / np.sqrt(sums))


def electron_form_factor(s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the form factor of Cr for electrons, by the formula of Mott and Bethe.

    f_e(s) = m e²/(8 pi epsilon_0 h²) (Z - f_x(s)) / s²; non-relativistic, which does not
    change the relative strengths.

    Parameters
    ----------
    s : float64
        sin(theta)/lambda, Å⁻¹, 0 to 2. Below 0.05 the value at 0.05 is returned: there the
        difference of two nearly equal numbers is divided by nearly nothing.

    Returns
    -------
    float64
        Å.
    """
    s2 = np.maximum(np.asarray(s, dtype=np.float64), 0.05) ** 2
    xray = np.exp(-s2[..., None] * _B) @ _A + _C
    factor: NDArray[np.float64] = _MOTT_BETHE * (_ATOMIC_NUMBER - xray) / s2
    return factor


def ring_strengths(rings: Reflections, debye_waller: float) -> NDArray[np.float64]:
    """Return the integrated intensity of each ring, relative units.

    I = multiplicity |F|² d, with F = 2 f_e exp(-B s²) for the two atoms of the cell. The factor
    d is the chance that a randomly oriented crystal meets the (nearly flat) Ewald sphere: a
    circle of length 2 pi/d of a sphere of area 4 pi/d² (Vainshtein). Spreading the
    ring over its circumference in the image, 1/r, is left to the caller.

    Parameters
    ----------
    rings : Reflections
        Of `reflections`.
    debye_waller : float
        B, Å².

    Returns
    -------
    (n,) float64
    """
    s = 0.5 / rings.spacing
    structure_factor = 2.0 * electron_form_factor(s) * np.exp(-debye_waller * s**2)
    return rings.multiplicity * structure_factor**2 * rings.spacing


def thermal_diffuse(s: NDArray[np.float64], debye_waller: float) -> NDArray[np.float64]:
    """Return what the atoms' vibration scatters between the rings, per cell and solid angle.

    Of independent atoms (Einstein): 2 f_e² (1 - exp(-2 B s²)); what the rings lose, it gains.

    Parameters
    ----------
    s : float64
        Å⁻¹.
    debye_waller : float
        B, Å².

    Returns
    -------
    float64
        Å².
    """
    return 2.0 * electron_form_factor(s) ** 2 * -np.expm1(-2.0 * debye_waller * s**2)
