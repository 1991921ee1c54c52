"""How exact a series is that is registered to its own mean: error over the bound, z-scores, pulls.

    python -m benchmarks.series_mean [--series 4] [--frames 32] [--size 192]

Frames of uint16 counts behind a static rod-and-disk beam-block; the drift is a random walk of
0.8 px a frame. One common shift is removed. The bound is that of a known reference, the same for
all tools; sqrt(1 - 1/N) of it is the least that is possible then. Beside it: the same frames
registered to the first one.
"""

from __future__ import annotations

import argparse
import time

from benchmarks.machine import describe, limit_threads, print_table

CASES = (("rings", 0.3), ("rings", 1.0), ("spots", 0.3), ("spots", 1.0), ("texture", 10.0))
TARGETS = {"rings": 1.10, "spots": 1.15, "texture": 1.15}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=4, help="series in each case (4)")
    parser.add_argument("--frames", type=int, default=32, help="frames in a series (32)")
    parser.add_argument("--size", type=int, default=192, help="rows and columns, px (192)")
    args = parser.parse_args()
    limit_threads(1)
    print(describe("maskreg", "numpy", "scipy", "numba"))
    print(f"\n{args.series} series of {args.frames} frames, {args.size} x {args.size}\n")
    header = [
        "scene",
        "e/px",
        "first / bound",
        "mean / bound",
        "95 %",
        "target",
        "z",
        "pull",
        "not ok",
        "ms a frame",
    ]
    print_table(header, [_case(scene, dose, args) for scene, dose in CASES])


def _case(name: str, dose: float, args: argparse.Namespace) -> list[str]:
    import numpy as np

    from maskreg import align
    from maskreg.testing import (
        Detector,
        Rings,
        Spots,
        Texture,
        beam_block,
        known_reference_bound,
        simulate_series,
    )

    shape = (args.size, args.size)
    scene = {"rings": Rings, "spots": Spots, "texture": Texture}[name](shape)
    mask = beam_block(shape)
    found: dict[str, list] = {"first": [], "mean": [], "z": []}
    lost, seconds = 0, 0.0
    for seed in range(args.series):
        rng = np.random.default_rng(1000 + seed)
        drifts = np.cumsum(rng.normal(0, 0.8, (args.frames, 2)), axis=0)
        drifts -= drifts[0]
        series = simulate_series(scene, drifts, dose, mask, rng, detector=Detector(dtype=np.uint16))
        bound = np.array([np.sqrt(np.diag(known_reference_bound(scene, d, mask, dose))) for d in drifts])
        for reference in ("first", "mean"):
            begin = time.perf_counter()
            alignment = align(list(series.frames), mask, reference=reference)
            ok = alignment.ok
            errors = (alignment.shifts - series.shifts)[ok]
            errors -= errors.mean(axis=0)
            least = np.sqrt(1 - 1 / ok.sum())
            found[reference].append(errors / (least * bound[ok]))
            if reference == "mean":
                seconds += time.perf_counter() - begin
                found["z"].append(errors / (least * alignment.uncertainty[ok]))
                lost += int((~ok).sum())

    def rms(values: list) -> float:
        return float(np.sqrt(np.mean(np.square(np.concatenate(values)))))

    rng = np.random.default_rng(0)
    drawn = [rms([found["mean"][k] for k in rng.integers(0, args.series, args.series)]) for _ in range(1000)]
    pull = np.abs(np.concatenate(found["z"]))
    return [
        name, f"{dose:g}", f"{rms(found['first']):.3f}", f"{rms(found['mean']):.3f}",
        f"{np.quantile(drawn, 0.95):.3f}", f"{TARGETS[name]:.2f}", f"{rms(found['z']):.3f}",
        f"{100 * np.mean(pull > 2):.1f} % > 2", f"{lost}", f"{1e3 * seconds / args.series / args.frames:.0f}",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
