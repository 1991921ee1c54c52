"""What shading makes of a shift: as it is, with what `maskreg` takes off, and what scikit-image finds.

    python -m benchmarks.shading [--pairs 20] [--size 256]

Simulated scenes that drift, each in light of its own: it stands still, or differs between the frames, or a
background is added that does. All pixels are valid. Errors are the greatest along an axis.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.machine import describe, print_table

DOSES = 5.0, 300.0
"""Electrons a pixel of the scenes, from and to."""

LONGEST = 0.15
"""Drifts are at most this part of the size."""

WRONG = 0.5
"""An answer that is ok and further off than this, px, is wrong."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=20, help="of each scene and shading (20)")
    parser.add_argument("--size", type=int, default=256, metavar="PX", help="rows and columns (256)")
    args = parser.parse_args()

    import numpy as np
    from skimage.registration import phase_cross_correlation

    from maskreg import register
    from maskreg.core import cleaned

    off, on = _as_it_is, cleaned._unless_shaded
    print(describe("maskreg", "numpy", "scikit-image"))
    print(f"{args.size} x {args.size} uint16; {args.pairs} pairs of rings, of spots and of a texture each\n")
    rows = []
    for name, shaded in SHADINGS.items():
        pairs = list(_pairs(args.size, args.pairs, shaded))
        cells = [name]
        for change in (off, on):
            cleaned._unless_shaded = change
            found = [register(*images) for *images, _ in pairs]
            errors = np.array(
                [np.abs(f.shift - s).max() for f, (*_, s) in zip(found, pairs, strict=True) if f.ok]
            )
            cells += [f"{len(errors)}", f"{np.count_nonzero(errors > WRONG)}", f"{np.median(errors):.3f}"]
        valid = np.ones((args.size, args.size), bool)
        peers = [
            np.abs(phase_cross_correlation(one, other, reference_mask=valid, moving_mask=valid)[0] - s).max()
            for one, other, s in pairs
        ]
        rows.append([*cells, f"{np.median(peers):.2f}"])
    columns = "ok", f"> {WRONG} px", "median px"
    header = ["shading", *(f"left: {c}" for c in columns), *(f"off: {c}" for c in columns), "scikit-image px"]
    print_table(header, rows)


def _as_it_is(masked: Any, moving: Any, found: Any) -> tuple[Any, Any]:
    return moving, found


def _pairs(size: int, number: int, shaded: Callable[..., Any]) -> Iterator[tuple[Any, Any, Any]]:
    """Yield reference, moving and the shift between them."""
    import numpy as np

    from maskreg.testing import Rings, Spots, Texture

    for kind in (Rings, Spots, Texture):
        scene = kind((size, size))
        for seed in range(number):
            rng = np.random.default_rng(seed)
            drift = rng.uniform(-LONGEST * size, LONGEST * size, 2)
            dose = np.exp(rng.uniform(*np.log(DOSES)))
            images = [scene.render(by) for by in ((0.0, 0.0), drift)]
            mean = np.mean(images)
            counts = [rng.poisson(dose * image / mean).astype(np.uint16) for image in shaded(rng, *images)]
            yield (*counts, -drift)


def _field(rng: Any, shape: tuple[int, ...]) -> Any:
    """Return something smooth, of mean zero and variance one."""
    import numpy as np
    from scipy.ndimage import gaussian_filter

    wide = gaussian_filter(rng.normal(size=(3 * shape[0], 3 * shape[1])), shape[0] / 4, mode="wrap")
    field = wide[: shape[0], : shape[1]]
    return (field - field.mean()) / np.std(field)


def _none(_: Any, *images: Any) -> list[Any]:
    return list(images)


def _lamp(rng: Any, *images: Any) -> list[Any]:
    import numpy as np

    light = np.exp(0.5 * _field(rng, images[0].shape))
    return [light * image for image in images]


def _lamps(rng: Any, *images: Any) -> list[Any]:
    import numpy as np

    return [np.exp(0.3 * _field(rng, image.shape)) * image for image in images]


def _background(rng: Any, *images: Any) -> list[Any]:
    import numpy as np

    return [image + 2 * image.mean() * (1 + np.clip(_field(rng, image.shape), -1, 1)) for image in images]


SHADINGS = {
    "none": _none,
    "light that stands still": _lamp,
    "light that changes": _lamps,
    "background that changes": _background,
}

if __name__ == "__main__":
    main()
