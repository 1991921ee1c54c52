"""Where the time of a frame goes, step by step, as multiples of the bare cost of touching each pixel once.

    python -m benchmarks.where [--size 2048] [--runs 40] [--threads 2]

Processor time of one thread, the median of all frames; a step's time includes that of the steps indented
below it. Touching is a compiled loop that adds up the frame's uint16. At the end: what two threads gain
on frames, beside what they gain on a loop that only computes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from benchmarks.machine import describe, limit_threads, print_table

STEPS = [
    ("prepare: stabilise, bin by two", "maskreg.core.registrar", "Prepared"),
    ("search: a first look", "maskreg.core.journey", "first_look"),
    ("  bin, background, scores of all lags", "maskreg.core.search", "LevelSearch.__call__"),
    ("    take the background off", "maskreg.core.search", "detail"),
    ("    transforms and scores", "maskreg.core.search", "scores"),
    ("    chance level", "maskreg.core.search", "chance_level"),
    ("  choose", "maskreg.core.journey", "choose"),
    ("search: all levels", "maskreg.core.journey", "search"),
    ("place below the pixel", "maskreg.core.journey", "decide"),
    ("  settle", "maskreg.core.place", "settle"),
    ("  refine", "maskreg.core.place", "refine"),
    ("    passes over the pixels", "maskreg.core.refine", "moments"),
    ("  normal matrices", "maskreg.core.reference", "MaskedSide.normal"),
    ("one pixel?", "maskreg.core.journey", "_one_pixel_made"),
    ("score and overlap", "maskreg.core.journey", "_score"),
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
    _print_scaling(registrar, frames, args.threads)


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


def _print_scaling(registrar: Any, frames: list[Any], threads: int) -> None:
    """Print the gain of several threads, on frames and on a loop that only computes, taking turns."""
    import numpy as np

    from maskreg.stream import ordered_map

    compute = _compute()
    compute(1)
    gains: dict[str, list[float]] = {"frames": [], "compute": []}
    for _ in range(5):
        for name, task, items in (("frames", registrar, frames[1:]), ("compute", compute, [4_000_000] * 16)):
            one, many = (
                _wall(lambda n=n, task=task, items=items: list(ordered_map(task, items, workers=n)))
                for n in (1, threads)
            )
            gains[name].append(one / many)
    frame, loop = (float(np.median(values)) for values in gains.values())
    print(
        f"{threads} threads: frames {frame:.2f} times as fast as one, a loop that only computes {loop:.2f}; "
        f"{frame / loop:.2f} of it"
    )


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


def _wall(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def _row(name: str, seconds: float, bare: float) -> list[str]:
    return [name, f"{1e3 * seconds:.2f}", f"{seconds / bare:.1f}"]


if __name__ == "__main__":
    main()
