"""How often unrelated images are called ok, and related ones are ok and right.

    python -m benchmarks.noise [--pairs 10] [--data FOLDER]

Unrelated: two fields of noise from white to 1/f squared, or two frames of sparse counts, with and
without masks, 32 to 256 squared, 1-D and 3-D, ``max_shift`` 8, 64 and none. An answer of status ok
is wrong there, wherever it lies. Related: the real pairs and series of the folder (left out where it
is absent) and simulated frames; every answer should be ok and, within the tolerance, right. One that
is ok and wrong is the worst.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from benchmarks.machine import describe, limit_threads, print_table
from benchmarks.real_data import DATA, WHOLE_PIXELS

SHAPES = {
    "32 x 32": (32, 32),
    "64 x 64": (64, 64),
    "128 x 128": (128, 128),
    "256 x 256": (256, 256),
    "1-D, 512": (512,),
    "3-D, 24 cubed": (24, 24, 24),
}
NOISE = {"white": 0.0, "1/f": 1.0, "1/f squared": 2.0, "sparse counts": None}
LIMITS = (8, 64, None)

SIGMAS = 5.0
"""A simulated answer is right within this many of its own sigma, or half a pixel."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--pairs", type=int, default=10, help="pairs for each kind, shape, mask and limit (10)"
    )
    parser.add_argument("--data", type=Path, default=DATA, metavar="FOLDER", help="where the real cases are")
    args = parser.parse_args()
    limit_threads(1)
    print(describe("maskreg", "numpy", "scipy", "numba"))
    print("\nUnrelated images: answers called ok, of all\n")
    _unrelated(args.pairs)
    print(f"\nRelated images: right is within {WHOLE_PIXELS} px or the case's tolerance (real), within")
    print(f"half a pixel or {SIGMAS:g} sigma (simulated)\n")
    _related(args.pairs, args.data)


def _unrelated(pairs: int) -> None:
    import numpy as np

    from maskreg import register

    rng = np.random.default_rng(1)
    called: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for name, shape in SHAPES.items():
        for kind in NOISE:
            for masked in (False, True):
                mask = _mask(shape) if masked else None
                for limit in LIMITS:
                    for _ in range(pairs):
                        a, b = _field(kind, shape, rng), _field(kind, shape, rng)
                        answer = register(a, b, mask, mask, max_shift=limit)
                        called[name, kind].append(answer.ok)
    rows = []
    for name in SHAPES:
        cells = [called[name, kind] for kind in NOISE]
        rows.append([name, *(f"{sum(c)} of {len(c)}" for c in cells), _percent(chain(*cells))])
    columns = [list(chain(*(called[name, kind] for name in SHAPES))) for kind in NOISE]
    rows.append(["all", *map(_percent, columns), _percent(chain(*columns))])
    print_table(["shape", *NOISE, "ok"], rows)


def _related(pairs: int, folder: Path) -> None:
    rows = [_row(name, *outcomes) for name, outcomes in _simulated(pairs).items()]
    if (folder / "truth.json").is_file():
        rows += [_row(name, *outcomes) for name, outcomes in _real(folder).items()]
    else:
        print(f"(no real cases: there is no truth.json in {folder})\n")
    print_table(["frames", "answers", "ok and right", "of all", "not ok", "ok and wrong"], rows)


def _row(name: str, right: list[bool], ok: list[bool]) -> list[str]:
    both = [r and k for r, k in zip(right, ok, strict=True)]
    wrong = sum(k and not r for r, k in zip(right, ok, strict=True))
    return [name, str(len(ok)), str(sum(both)), _percent(both), str(len(ok) - sum(ok)), str(wrong)]


def _simulated(pairs: int):
    import numpy as np

    from maskreg import register
    from maskreg.testing import Detector, DiffuseRings, Rings, Spots, Texture, beam_block, simulate_pair

    rng = np.random.default_rng(2)
    detector = Detector(dtype=np.uint16)
    found = {}
    for name, scene in (
        ("rings", Rings()),
        ("rings on a background 20 times as strong", DiffuseRings()),
        ("spots", Spots()),
        ("texture", Texture()),
    ):
        mask = beam_block(scene.shape)
        for dose in (1.0, 10.0, 100.0, 1000.0):
            right, ok = [], []
            for _ in range(pairs):
                drift = rng.uniform(-20, 20, 2)
                a, b, valid = simulate_pair(scene, drift, dose, mask, rng, detector=detector)
                answer = register(a, b, valid, valid)
                tolerance = np.maximum(0.5, SIGMAS * answer.uncertainty)
                right.append(bool((np.abs(answer.shift + drift) <= tolerance).all()))
                ok.append(answer.ok)
            found[f"{name}, {dose:g} e/px"] = right, ok
    return found


def _real(folder: Path):
    import numpy as np
    import tifffile

    from benchmarks.real_data import load_pair
    from maskreg import align, register
    from maskreg.masks import load_mask

    found = {}
    right, ok = [], []
    for case in json.loads((folder / "truth.json").read_text()):
        path = folder / case["name"]
        if case["kind"] == "pair":
            a, b, masks = load_pair(path)
            answer = register(a, b, *masks)
            distance = np.abs(answer.shift - np.array(case["shift"])).max()
            right.append(bool(distance <= (case["tolerance"] or WHOLE_PIXELS)))
            ok.append(answer.ok)
        else:
            frames = tifffile.imread(path / "frames.tif")
            truth = np.loadtxt(path / "truth_shifts.csv", delimiter=",")
            alignment = align(frames, load_mask(path / "valid_mask.png"))
            near = np.abs(alignment.shifts - truth).max(axis=1) <= case["tolerance"]
            found[case["name"]] = list(near[1:]), list(alignment.ok[1:])
    return {"real pairs": (right, ok), **found}


def _field(kind: str, shape: tuple[int, ...], rng):
    import numpy as np

    from maskreg.testing import noise_field

    exponent = NOISE[kind]
    if exponent is None:
        return rng.poisson(0.2, shape).astype(np.uint16)
    return noise_field(shape, exponent, rng).astype(np.float32)


def _mask(shape: tuple[int, ...]):
    """Return a mask that ignores a block in the middle, a bar to the border and scattered pixels."""
    import numpy as np

    valid = np.random.default_rng(3).uniform(size=shape) > 0.01
    grid = np.meshgrid(*(np.arange(n) / n - 0.5 for n in shape), indexing="ij")
    valid &= sum(g**2 for g in grid) > 0.15**2
    if len(shape) > 1:
        valid &= ~((np.abs(grid[1]) < 0.05) & (grid[0] < 0))
    return valid


def _percent(answers: Iterable[bool]) -> str:
    answers = list(answers)
    return f"{100 * sum(answers) / len(answers):.1f} %"


if __name__ == "__main__":
    main()
