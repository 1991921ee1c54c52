"""The scan of ``maskreg demo``: ultrafast electron diffraction of polycrystalline chromium.

Two scans over a dozen pump-probe delays, as a camera would have written them: powder rings on a
bright diffuse background, the electron beam wandering (so the pattern moves), a beam-block and
hot pixels that do not move, and rings that weaken by a few per cent once the pump has heated the
film. Every frame can be made by itself, in any order, and the drift is known exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy.special import erf

from maskreg.errors import InputError, not_written
from maskreg.testing.block import distance_to_block
from maskreg.testing.detector import Detector
from maskreg.testing.powder import DEBYE_WALLER, reflections, ring_strengths, thermal_diffuse
from maskreg.testing.radial import RadialScene

DELAYS_PS = (-2.0, -1.0, -0.5, 0.0, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0)
"""Pump-probe delays of one scan, ps; negative: before the pump."""

_DESIGN_SIZE = 1024.0
"""Frame size for which the lengths below are given, px; all but the soft edge scale with it."""

_CAMERA_CONSTANT = 332.0
"""Ring radius times lattice spacing, px Å: 110 at 163 px, and 400, the eighth, just within the frame."""

_LARGEST_INDEX_SUM = 40
"""Rings up to the corners of the frame."""

_BLOCK = (52.0, 30.0)
"""Radius of the beam-block's disk and half width of its rod, px."""

_PENUMBRA = 1.5
"""Sigma of the shadow's soft edge, px."""

_DOSE = 60.0
"""Mean electrons per pixel without the block."""

_CAMERA = Detector(gain=0.5, offset=100.0, read_noise=2.0, saturation=65535.0, dtype=np.uint16)

_HEATING = 0.05
"""Increase of the Debye-Waller B long after the pump, Å²: 110 loses 0.6 %, 222 3.5 %."""

_HEATING_TIME = 1.2
"""Time in which the lattice heats up, ps."""


class ChromiumScan:
    """A simulated scan with its truth.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of a frame, px. The whole pattern, its drift too, scales with the
        shorter side, so that a small scan for a test looks like the full one.
    scans : int
        How often the delays are gone through.
    delays : sequence of float
        Pump-probe delays, ps, in the order in which they are taken; each once.
    seed : int
        Draws the drift, the hot pixels and, with the number of the frame, its noise.

    Attributes
    ----------
    detector : Detector
        Gain, pedestal and read noise of the camera.
    pattern : str
        How `names` tell scan and delay.
    """

    detector = _CAMERA
    pattern = "scan_{scan}_delay_{delay}ps.tif"

    def __init__(
        self,
        shape: tuple[int, int] = (1024, 1024),
        scans: int = 2,
        delays: Sequence[float] = DELAYS_PS,
        seed: int = 20,
    ) -> None:
        if scans < 1 or len(delays) < 1:
            raise InputError(f"scans is {scans} and delays has {len(delays)} values; both need at least one")
        if len(set(delays)) < len(delays):
            raise InputError(f"delays are {tuple(delays)}; each names a file, so each may occur once")
        if min(shape) < 128:
            raise InputError(f"shape is {shape}; the rings need frames of at least 128 x 128 px")
        self.shape = (int(shape[0]), int(shape[1]))
        self.scan = np.repeat(np.arange(1, scans + 1), len(delays))
        self.delay = np.tile(np.asarray(delays, dtype=np.float64), scans)
        self._seed = seed
        self._unit = min(self.shape) / _DESIGN_SIZE
        self._patterns: dict[float, RadialScene] = {}
        layout = self._rng(0)
        self.drift = _beam_drift(self.scan, layout) * self._unit
        self._hot, self._dead = _bad_pixels(self.shape, layout)

    def __len__(self) -> int:
        return self.scan.size

    @property
    def shifts(self) -> NDArray[np.float64]:
        """The truth, (n, 2) px: to apply to each frame so that it lands on the first."""
        shifts: NDArray[np.float64] = self.drift[0] - self.drift
        return shifts

    @property
    def names(self) -> list[str]:
        """File names of the frames, in the order in which they were taken."""
        return [
            self.pattern.format(scan=scan, delay=delay)
            for scan, delay in zip(self.scan.tolist(), self.delay.tolist(), strict=True)
        ]

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """(rows, columns) bool, True = valid: clear of the block, its penumbra, hot and dead pixels."""
        mask: NDArray[np.bool_] = (self._distance > 4.0 * _PENUMBRA) & (self._hot == 0.0) & ~self._dead
        return mask

    def expected(self, i: int) -> NDArray[np.float64]:
        """Return the expected electrons in each pixel of frame `i`: (rows, columns) float64."""
        electrons = self._dose(i) * self._pattern(float(self.delay[i])).render(self.drift[i])
        electrons *= self._transmission
        electrons += self._stray_light
        electrons += self._hot
        electrons[self._dead] = 0.0
        return electrons

    def frame(self, i: int) -> NDArray[np.uint16]:
        """Return frame `i` in counts: (rows, columns) uint16, the same whenever it is asked for."""
        counts = self.detector.expose(self.expected(i), self._rng(i + 1))
        return counts.astype(np.uint16, copy=False)

    def frames(self) -> Iterator[NDArray[np.uint16]]:
        """Yield the frames one after another, (rows, columns) uint16 each."""
        return (self.frame(i) for i in range(len(self)))

    def write(self, folder: str | Path) -> list[Path]:
        """Write the scan as a camera and a careful experimenter would leave it.

        ``frames/*.tif`` (uncompressed), ``valid_mask.tif`` (255 = valid, 0 = ignore) and
        ``truth_shifts.csv`` (a header, then row and column to apply, in the order of `names`,
        which the header lists: sorted by name the files have another order).

        Parameters
        ----------
        folder : path
            Made if it is not there.

        Returns
        -------
        list of Path
            The frames, in the order in which they were taken.
        """
        folder = Path(folder)
        paths = [folder / "frames" / name for name in self.names]
        try:
            self._write(folder, paths)
        except OSError as error:
            raise not_written(folder, error) from error
        return paths

    def _write(self, folder: Path, paths: list[Path]) -> None:
        (folder / "frames").mkdir(parents=True, exist_ok=True)
        for path, frame in zip(paths, self.frames(), strict=True):
            tifffile.imwrite(path, frame)
        tifffile.imwrite(folder / "valid_mask.tif", self.mask.astype(np.uint8) * np.uint8(255))
        header = "\n".join(["row,col shift to APPLY to frame i to register with frame 0", *self.names])
        np.savetxt(folder / "truth_shifts.csv", self.shifts, fmt="%.4f", delimiter=",", header=header)

    def _rng(self, stream: int) -> np.random.Generator:
        """Return the generator of one stream: 0 for the layout, i + 1 for the noise of frame i."""
        return np.random.default_rng([self._seed, stream])

    def _dose(self, i: int) -> float:
        """Return the mean electrons per pixel of frame `i`: the gun is steady to a per cent."""
        return _DOSE * (1.0 + 0.01 * math.sin(2.4 * i))

    def _pattern(self, delay: float) -> RadialScene:
        """Return the diffraction pattern at `delay`, made once."""
        if delay not in self._patterns:
            self._patterns[delay] = _pattern(
                self.shape, self._unit, _debye_waller(delay), self._largest_drift
            )
        return self._patterns[delay]

    @property
    def _largest_drift(self) -> float:
        return float(np.hypot(*self.drift.T).max())

    @cached_property
    def _distance(self) -> NDArray[np.float64]:
        radius, half_width = (length * self._unit for length in _BLOCK)
        return distance_to_block(self.shape, _centre(self.shape), radius, half_width)

    @cached_property
    def _transmission(self) -> NDArray[np.float64]:
        """Of the beam-block: 0 behind it, 1 in front, with a soft edge."""
        return np.asarray(0.5 * (1.0 + erf(self._distance / (np.sqrt(2.0) * _PENUMBRA))))

    @cached_property
    def _stray_light(self) -> NDArray[np.float64]:
        """Electrons scattered behind the block by the column: static, stronger towards the tip."""
        along_rod = np.linspace(0.4, 2.0, self.shape[0])[:, None]
        return along_rod * (1.0 - self._transmission)


def _centre(shape: tuple[int, int]) -> tuple[float, float]:
    """Return where the undrifted beam hits the detector, px: row and column."""
    return 0.49 * shape[0] + 0.3, 0.515 * shape[1] - 0.2


def _debye_waller(delay: float) -> float:
    """Return B at a delay after the pump, Å²: the lattice heats up exponentially."""
    return DEBYE_WALLER - _HEATING * float(np.expm1(-max(delay, 0.0) / _HEATING_TIME))


def _pattern(shape: tuple[int, int], unit: float, debye_waller: float, largest_drift: float) -> RadialScene:
    """Return the diffraction pattern of the film, `unit` px for each px of the design size.

    A scene's mean is 1, so what the rings lose to heat shows up between them, as it should.
    """
    rings = reflections(_LARGEST_INDEX_SUM)
    radii = _CAMERA_CONSTANT / rings.spacing
    strengths = ring_strengths(rings, debye_waller)

    def profile(r: NDArray[np.float64]) -> NDArray[np.float64]:
        radius = r / unit
        return _rings(radius, radii, strengths) + _background(radius, debye_waller)

    return RadialScene(shape, _centre(shape), profile, largest_drift=largest_drift)


def _rings(
    r: NDArray[np.float64], radii: NDArray[np.float64], strengths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the rings' intensity at distance `r` (px of the design size), spread over 2 pi r.

    The width grows from the crystals' size (constant) to the spread of energy and lens
    (proportional to r).
    """
    total = np.zeros_like(r)
    for radius, strength in zip(radii, strengths, strict=True):
        width = float(np.hypot(6.0, 0.012 * radius))
        height = strength / (2.0 * np.pi * radius * np.sqrt(2.0 * np.pi) * width)
        total += height * np.exp(-0.5 * ((r - radius) / width) ** 2)
    return total


def _background(r: NDArray[np.float64], debye_waller: float) -> NDArray[np.float64]:
    """Return inelastic and thermal diffuse scattering and the halo of the direct beam.

    The strengths are chosen by eye after published patterns of chromium films: at 110 the
    background is somewhat higher than the ring on it.
    """
    s = 0.5 * r / _CAMERA_CONSTANT
    inelastic = 0.085 / (1.0 + (r / 200.0) ** 2)
    halo = 2.0 * np.exp(-0.5 * (r / 16.0) ** 2) + 1.2 / (1.0 + (r / 40.0) ** 2) ** 2
    return 0.004 + inelastic + halo + 0.002 * thermal_diffuse(s, debye_waller)


def _beam_drift(scan: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return how far the beam has wandered at each frame, (n, 2) px of the design size.

    A slow random walk with a trend, and a jump where a new scan begins.
    """
    walk = np.cumsum(rng.normal((0.25, -0.15), 0.4, (scan.size, 2)), axis=0)
    jump = np.array([5.3, -8.6])
    drift: NDArray[np.float64] = walk + (scan[:, None] - 1) * jump
    return drift


def _bad_pixels(
    shape: tuple[int, int], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the electrons that hot pixels add (0 elsewhere) and where pixels are dead."""
    draw = rng.uniform(size=shape)
    hot = draw < 2e-4
    glow = np.where(hot, 10.0 ** rng.uniform(2.0, 4.0, shape), 0.0)
    return glow, draw > 1.0 - 5e-5
