"""Real pairs and series: `maskreg` against scikit-image, masked and not.

    python -m benchmarks.real_data [--data FOLDER]

The folder holds ``truth.json``, a folder a case (``reference.tif``, ``moving.tif`` and masks, or
``frames.tif``, ``valid_mask.png`` and ``truth_shifts.csv``). Every tool runs with its defaults; the
peer's time for a series is that of its masked call, one thread. Times are of warm calls.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from benchmarks.machine import describe, limit_threads, print_table

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

WHOLE_PIXELS = 0.6
"""Tolerance where the truth is whole pixels only, px."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, metavar="FOLDER", help="where the cases are")
    folder = parser.parse_args().data
    if not (folder / "truth.json").is_file():
        parser.error(f"there is no truth.json in {folder}; name the folder of the cases with --data")
    limit_threads(1)
    print(describe("maskreg", "numpy", "scipy", "numba", "scikit-image"))
    cases = json.loads((folder / "truth.json").read_text())
    print("\nPairs: distance from the truth in px ('!': beyond the case's tolerance), time of a call in ms\n")
    _pairs([case for case in cases if case["kind"] == "pair"], folder)
    print("\nSeries: distance from the truth in px over all frames but the first\n")
    _series([case for case in cases if case["kind"] == "series"], folder)


def _pairs(cases, folder: Path) -> None:
    from skimage.registration import phase_cross_correlation

    from maskreg import register

    rows = []
    for case in cases:
        reference, moving, masks = load_pair(folder / case["name"])
        truth, tolerance = case["shift"], case["tolerance"] or WHOLE_PIXELS
        register(reference, moving, *masks)  # warm
        ours, answer = _timed(lambda r=reference, m=moving, k=masks: register(r, m, *k))
        masked, shift = _timed(
            lambda r=reference, m=moving, k=masks: phase_cross_correlation(
                r, m, reference_mask=k[0], moving_mask=k[1]
            )[0]
        )
        unmasked, blind = _timed(lambda r=reference, m=moving: phase_cross_correlation(r, m)[0])
        rows.append(
            [
                case["name"],
                f"{truth[0]:g}, {truth[1]:g}",
                _error(answer.shift, truth, tolerance),
                answer.status.label,
                f"{1e3 * ours:.0f}",
                _error(shift, truth, tolerance),
                f"{1e3 * masked:.0f}",
                _error(blind, truth, tolerance),
                f"{1e3 * unmasked:.0f}",
            ]
        )
    print_table(
        ["pair", "truth", "maskreg", "status", "ms", "skimage masked", "ms", "skimage unmasked", "ms"], rows
    )


def _series(cases, folder: Path) -> None:
    import numpy as np
    from skimage.registration import phase_cross_correlation

    from maskreg import align
    from maskreg.masks import load_mask

    rows = []
    for case in cases:
        path = folder / case["name"]
        mask = load_mask(path / "valid_mask.png")
        truth = np.loadtxt(path / "truth_shifts.csv", delimiter=",")
        frames = _read(path / "frames.tif")
        align(frames[:2], mask, workers=1)  # warm
        ours, alignment = _timed(lambda p=path, m=mask: align(p / "frames.tif", m, workers=1))
        masked, shifts = _timed(
            lambda f=frames, m=mask: [
                phase_cross_correlation(f[0], frame, reference_mask=m, moving_mask=m)[0] for frame in f[1:]
            ]
        )
        unmasked, blind = _timed(
            lambda f=frames: [phase_cross_correlation(f[0], frame)[0] for frame in f[1:]]
        )
        count, shape = len(frames), frames.shape[1:]
        bad = alignment.table().flagged
        for name, seconds, found, flagged in (
            ("maskreg.align", ours, alignment.shifts[1:], str(bad)),
            ("scikit-image, masked", masked, shifts, "-"),
            ("scikit-image, unmasked", unmasked, blind, "-"),
        ):
            errors = np.hypot(*(np.array(found) - truth[1:]).T)
            rows.append(
                [
                    f"{case['name']} {count} x {shape[0]} x {shape[1]}",
                    name,
                    f"{np.sqrt(np.mean(errors**2)):.3f}",
                    f"{errors.max():.3f}",
                    flagged,
                    f"{1e3 * seconds / count:.0f}",
                ]
            )
    print_table(["series", "tool", "rms px", "largest px", "flagged", "ms per frame"], rows)


def load_pair(path: Path):
    """Return reference, moving and their masks (True = valid; a missing one is all valid)."""
    images = [_read(path / f"{side}.tif") for side in ("reference", "moving")]
    masks = []
    for side, image in zip(("reference", "moving"), images, strict=True):
        file = path / f"{side}_mask.tif"
        masks.append(_read(file) > 0 if file.is_file() else image == image)
    return *images, masks


def _read(path: Path):
    import tifffile

    return tifffile.imread(path)


def _timed(call):
    begin = time.perf_counter()
    result = call()
    return time.perf_counter() - begin, result


def _error(shift, truth, tolerance: float) -> str:
    import numpy as np

    if not np.isfinite(shift).all():
        return "no answer"
    distance = np.asarray(shift) - np.asarray(truth)
    mark = "!" if np.abs(distance).max() > tolerance else ""
    return f"{np.hypot(*distance):.2f}{mark}"


if __name__ == "__main__":
    main()
