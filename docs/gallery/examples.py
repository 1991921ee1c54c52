"""The images of the gallery: real ones from the folder ``../shared/data`` where it is, else simulated ones.

    python docs/gallery/examples.py [FOLDER]

runs every script of this folder and writes the pictures to FOLDER (``docs/images/gallery``).
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import scipy.ndimage
from numpy.typing import NDArray
from PIL import Image

HERE = Path(__file__).parent
DATA = HERE.parents[2] / "shared" / "data"
PICTURES = HERE.parent / "images" / "gallery"

SEISMIC = "RdBu_r"


class Pair(NamedTuple):
    """Two images with their masks (True = valid)."""

    reference: NDArray[Any]
    moving: NDArray[Any]
    reference_mask: NDArray[np.bool_]
    moving_mask: NDArray[np.bool_]


def real_pair(name: str) -> Pair | None:
    """Return a pair of the folder of real images, or None where that is absent."""
    folder = DATA / name
    if not (folder / "reference.tif").is_file():
        return None
    from maskreg.frames import open_frames
    from maskreg.masks import load_mask

    images = []
    for side in ("reference", "moving"):
        with open_frames(folder / f"{side}.tif") as frames:
            images.append(frames.read(0))
    masks = []
    for side, image in zip(("reference", "moving"), images, strict=True):
        file = folder / f"{side}_mask.tif"
        masks.append(load_mask(file) if file.is_file() else np.ones(image.shape, bool))
    return Pair(*images, *masks)


def chromium() -> Pair:
    """Return two patterns of polycrystalline chromium, taken hours apart."""
    real = real_pair("seed_cr_blog")
    if real is not None:
        return real
    from maskreg.testing import ChromiumScan

    scan = ChromiumScan((384, 384), scans=2, delays=(-1.0, 0.0))
    return Pair(scan.frame(0), scan.frame(3), scan.mask, scan.mask)


def landscape(shape: tuple[int, int], seed: int = 1) -> NDArray[np.float64]:
    """Return a smooth random image in [0, 255], with structure of all sizes."""
    rng = np.random.default_rng(seed)
    layers = [scipy.ndimage.gaussian_filter(rng.normal(size=shape), s) * s for s in (1.5, 4, 12)]
    image = np.sum(layers, axis=0)
    return 255 * (image - image.min()) / np.ptp(image)


def save(figure: Any, name: str) -> None:
    """Write a picture, small enough to be kept with the text."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    figure.canvas.draw()
    picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
    # 256 colours: a third of the size, and hardly anybody sees it
    picture.quantize(256, dither=Image.Dither.NONE).save(folder / f"{name}.png", optimize=True)
    plt.close(figure)


def panels(count: int, height: float = 3.8) -> tuple[Any, Any]:
    """Return a figure with images side by side, without ticks."""
    figure, axes = plt.subplots(
        1, count, figsize=(3.3 * count, height), dpi=90, layout="constrained", squeeze=False
    )
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.12)
    for axis in axes[0]:
        axis.set_xticks([])
        axis.set_yticks([])
    return figure, axes[0]


def main() -> None:
    """Run the other scripts of this folder."""
    for script in sorted(HERE.glob("*.py")):
        if script.name != Path(__file__).name:
            print(script.name, flush=True)
            runpy.run_path(str(script))


if __name__ == "__main__":
    main()
