"""Where the time of a frame goes, step by step, as multiples of the bare cost of touching each pixel once.

    python -m benchmarks.where [--size 2048] [--runs 40] [--threads 2]

Processor time of one thread, the median of all frames; a step's time includes that of the steps indented
below it. Touching is a compiled loop that adds up the frame's uint16. At the end: what two workers
gain in `align`, which reads the frames from a file, and two threads in a `Registrar`, beside their gain on a
loop that only computes and on one that only reads; both know of the detector what `align` reads off the
first frames. They take turns. A turn's time is the slope of a line through the times at which results came;
the first ones, before which workers begin, and the last ones, when not all have work, are left out, as a
series is long.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import describe, limit_threads, print_table

STORED = 240
"""Frames in the file of the scaling, far more than any cache holds,"""

TURN = 400
"""and in each turn, which goes through the file again."""

TURNS = 7

LEFT_OUT = 64
"""So many results first, until the reference is ready and all workers are at work, and so many last."""

STEPS = [
    ("prepare: stabilise, bin by two", "maskreg.core.registrar", "Prepared"),
    ("search: a first look", "maskreg.core.journey", "look"),
    ("  bin, background, scores of all lags", "maskreg.core.search.search", "LevelSearch.__call__"),
    ("    take the background off", "maskreg.core.search.search", "detail"),
    ("    transforms, scores, chance level", "maskreg.core.search.search", "level_scores"),
    ("  choose", "maskreg.core.levels", "choose"),
    ("search: all levels", "maskreg.core.journey", "search"),
    ("place below the pixel", "maskreg.core.journey", "decide"),
    ("  settle", "maskreg.core.stage", "settle"),
    ("  refine", "maskreg.core.stage", "refine"),
    ("    passes over the pixels", "maskreg.core.subpixel.refine", "compiled_steps"),
    ("  noise that the residual shows", "maskreg.core.corrected", "_with_seen_noise"),
    ("  do rings expand?", "maskreg.core.corrected", "_without_expansion"),
    ("  normal matrices", "maskreg.core.masked_side", "MaskedSide.normal"),
    ("one pixel?", "maskreg.core.journey", "one_pixel_made"),
    ("score and overlap", "maskreg.core.journey", "score_and_overlap"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=2048, metavar="PX", help="rows and columns (2048)")
    parser.add_argument("--runs", type=int, default=40, help="frames (40)")
    parser.add_argument("--threads", type=int, default=2, help="for the scaling (2)")
    args = parser.parse_args()
    limit_threads(1)

    from maskreg import Registrar
    from maskreg.testing import ChromiumScan

    scan = ChromiumScan((args.size, args.size), scans=2, delays=tuple(range(9)))
    frames = [scan.frame(i) for i in range(17)]
    registrar = Registrar(frames[0], scan.mask, scan.mask)
    for frame in frames[1:]:
        registrar(frame)
    touch = _touch()
    touch(frames[0])
    shown = [frames[1 + k % 16] for k in range(args.runs)]
    bare = median(_cpu(lambda frame=frame: touch(frame)) for frame in shown)
    whole = median(_cpu(lambda frame=frame: registrar(frame)) for frame in shown)
    rows = [["touch each pixel once", f"{1e3 * bare:.2f}", "1.0"], _row("a frame", whole, bare)]
    spent = _watched(registrar, shown)
    rows += [_row("  " + name, seconds, bare) for name, seconds in spent.items()]
    print(describe("maskreg", "numpy", "scipy", "numba"))
    print(f"{args.size} x {args.size} uint16; processor time of one thread, median of {args.runs} frames")
    print_table(["step", "ms", "touches"], rows)
    enough, not_enough = registrar.looks
    print(f"first look enough for {enough} of {enough + not_enough} frames")
    _print_scaling(scan, frames, args.threads, touch)


def _watched(register: Callable[[Any], Any], frames: Sequence[Any]) -> dict[str, float]:
    """Return the time that the median frame spends in each step, steps never met left out."""
    import importlib

    spent: dict[str, float] = {}
    undo = []
    for name, module, path in STEPS:
        owner: Any = importlib.import_module(module)
        *outer, attribute = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        original = getattr(owner, attribute)
        setattr(owner, attribute, _timed(original, spent, name))
        undo.append((owner, attribute, original))
    each = []
    try:
        for frame in frames:
            spent.clear()
            register(frame)
            each.append(dict(spent))
    finally:
        for owner, attribute, original in undo:
            setattr(owner, attribute, original)
    found = {name: median(one.get(name, 0.0) for one in each) for name, _, _ in STEPS}
    return {name: seconds for name, seconds in found.items() if seconds > 0}


def _timed(function: Callable[..., Any], spent: dict[str, float], name: str) -> Callable[..., Any]:
    def timed(*args: Any, **keywords: Any) -> Any:
        begin = time.thread_time()
        try:
            return function(*args, **keywords)
        finally:
            spent[name] = spent.get(name, 0.0) + time.thread_time() - begin

    return timed


def _print_scaling(scan: Any, frames: list[Any], threads: int, touch: Callable[[Any], int]) -> None:
    """Print what several threads gain in `align`, in a `Registrar` and in loops that only compute or read."""
    import numpy as np

    from maskreg import Registrar
    from maskreg.frames import open_frames
    from maskreg.options import Options
    from maskreg.series.before.prepared import prepare
    from maskreg.stream import ordered_map

    compute = _compute()
    compute(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frames.npy"
        np.save(path, np.stack([frames[k % len(frames)] for k in range(STORED)]))
        with open_frames(path) as source:
            series = prepare(source, scan.mask, "first", Options())
            registrar = Registrar(frames[0], scan.mask, scan.mask, **asdict(series.look.options))
            shown = [frames[1 + k % (len(frames) - 1)] for k in range(TURN)]
            rows = np.concatenate(frames)
            maps = {
                "align": lambda n: series.rows([k % STORED for k in range(TURN)], workers=n),
                "Registrar": lambda n: ordered_map(registrar, shown, workers=n),
                "a loop that only computes": lambda n: ordered_map(compute, [2_000_000] * TURN, workers=n),
                "a loop that only reads": lambda n: ordered_map(touch, [rows] * TURN, workers=n),
            }
            found: dict[str, list[Any]] = {name: [] for name in maps}
            for _ in range(TURNS):
                for name, begin in maps.items():
                    found[name].append([_each(begin(n)) for n in (1, threads)])
    medians = {name: np.median(turns, axis=0) for name, turns in found.items()}
    each = {name: np.array([one / many for one, many in turns]) for name, turns in found.items()}
    print(f"wall time of a result, ms, one worker and {threads}, and the gain; medians of {TURNS} turns:")
    rows = [
        [name, *(f"{1e3 * x:.2f}" for x in medians[name]), *(f"{f(gain):.2f}" for f in (np.median, min, max))]
        for name, gain in each.items()
    ]
    print_table(["", "one", str(threads), "gain", "least", "most"], rows)
    compared = np.median(each["align"] / each["a loop that only computes"])
    cost = medians["align"][0] / medians["Registrar"][0]
    print(
        f"align: {compared:.2f} of the gain of computing; a frame costs {cost:.2f} of what a Registrar takes"
    )


def _each(results: Iterator[Any]) -> float:
    """Return the wall time that each result took."""
    import numpy as np

    came = [time.perf_counter() for _ in results][LEFT_OUT:-LEFT_OUT]
    return float(np.polyfit(np.arange(len(came)), came, 1)[0])


def _touch() -> Callable[[Any], int]:
    import numpy as np
    from numba import njit

    @njit(nogil=True, boundscheck=False, error_model="numpy")
    def touch(pixels):
        total = np.uint64(0)
        for i in range(pixels.shape[0]):
            values = pixels[i]
            row = np.uint32(0)
            for j in range(values.size):
                row += values[j]
            total += row
        return total

    return touch


def _compute() -> Callable[[int], float]:
    from numba import njit

    @njit(nogil=True)
    def compute(count):
        value = 0.5
        for _ in range(count):
            value = 3.7 * value * (1 - value)
        return value

    return compute


def _cpu(run: Callable[[], object]) -> float:
    begin = time.thread_time()
    run()
    return time.thread_time() - begin


def _row(name: str, seconds: float, bare: float) -> list[str]:
    return [name, f"{1e3 * seconds:.2f}", f"{seconds / bare:.1f}"]


if __name__ == "__main__":
    main()
