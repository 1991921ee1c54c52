"""Simulators with an exact truth, for judging this and any other registration tool.

Every scene is evaluated where it lies, from a formula, never by interpolating an image: what a
tool gets wrong is then its own. `pair_bound` and its relatives say how well any tool could do.

This file is the contents page.
"""

from maskreg.testing.block import beam_block
from maskreg.testing.bound import known_reference_bound, pair_bound, texture_bound
from maskreg.testing.chromium import ChromiumScan
from maskreg.testing.detector import Detector
from maskreg.testing.lines import Lines
from maskreg.testing.noise import noise_field
from maskreg.testing.radial import RadialScene
from maskreg.testing.rings import DiffuseRings, Rings
from maskreg.testing.scene import Scene
from maskreg.testing.simulate import Pair, Series, simulate_pair, simulate_series, static_clutter
from maskreg.testing.spots import Spots
from maskreg.testing.texture import Texture

__all__ = [
    "ChromiumScan",
    "Detector",
    "DiffuseRings",
    "Lines",
    "Pair",
    "RadialScene",
    "Rings",
    "Scene",
    "Series",
    "Spots",
    "Texture",
    "beam_block",
    "known_reference_bound",
    "noise_field",
    "pair_bound",
    "simulate_pair",
    "simulate_series",
    "static_clutter",
    "texture_bound",
]
