"""What is measured, and the limits it must keep: one table, fixed before anything is run."""

from __future__ import annotations

from dataclasses import dataclass

from maskreg.testing import Rings, Scene, Spots, Texture, pair_bound, texture_bound

SCENES: dict[str, type[Scene]] = {"rings": Rings, "spots": Spots, "texture": Texture}
BOUNDS = {"rings": pair_bound, "spots": pair_bound, "texture": texture_bound}

Z_SPREAD = (0.9, 1.1)
"""Limits of the spread of the z-scores in every cell that has a limit of its RMSE."""


@dataclass(frozen=True)
class Cell:
    """Pairs of one kind.

    Attributes
    ----------
    scene : str
        A key of `SCENES`; every pair has a scene of its own, drawn with its seed.
    dose : float
        Electrons per pixel.
    rmse : float, optional
        Limit of the RMSE over the bound; None: not limited.
    gross : float
        Limit of the part of pairs that have no answer within `GROSS` of the truth.
    sizes : tuple of int
        Rows and columns of the frames, px; each pair draws one.
    """

    scene: str
    dose: float
    rmse: float | None
    gross: float = 0.0
    sizes: tuple[int, ...] = (192, 224, 256)

    @property
    def name(self) -> str:
        """Scene and dose, as ``--cells`` takes them."""
        return f"{self.scene}-{self.dose:g}"


GROSS = 2.0
"""An answer further than this from the truth along an axis is a gross failure, px."""

CELLS = (
    *(Cell(scene, 1.0, 1.25) for scene in SCENES),
    *(Cell(scene, dose, 1.08) for scene in SCENES for dose in (10.0, 100.0, 1000.0)),
    Cell("rings", 0.1, None, sizes=(256,)),
    Cell("spots", 0.1, None, sizes=(256,)),
    Cell("texture", 0.3, None, sizes=(256,)),
    Cell("rings", 0.03, None, gross=0.02, sizes=(256,)),
    Cell("spots", 0.03, None, gross=0.02, sizes=(256,)),
)

LOCKING_DOSE = 1000.0
"""Pixel locking is read off the cells of this dose, e/px."""

LOCKING = {"rings": 0.3e-3, "spots": 0.3e-3, "texture": 1e-3}
"""Limits of the error's amplitude over the fractional shift, px."""

NOISE_FREE = {"rings": 1e-4, "spots": 1e-4, "texture": 1e-3}
"""Limits of the error of noise-free images, px."""

READ_NOISE = (0.1, 0.3, 0.5)
"""Electrons; each pair draws one. Not told to what is measured."""

LARGEST_SHIFT = 20.0
"""Per axis, px."""

BLOCKS = ("small", "standard")
"""Beam-blocks of 5 and 12 %; each pair draws one."""
