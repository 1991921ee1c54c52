"""The flags of dark and flat."""

from __future__ import annotations

from argparse import ArgumentParser


def add_calibration_flags(parser: ArgumentParser) -> None:
    """Add ``--dark`` and ``--flat``."""
    group = parser.add_argument_group("calibration: every frame becomes (frame - dark) / flat")
    group.add_argument("--dark", metavar="FILE", help="an image without light; of several the mean")
    group.add_argument("--flat", metavar="FILE", help="the same of even light; it need not be normalised")
