"""Time a frame of a series: `maskreg.Registrar` against scikit-image's masked registration.

    python -m benchmarks.series [--size 2048] [--threads 1] [--runs 3] [--frames 16] [--seconds 1]

One reference and one static mask, uint16 frames of simulated chromium rings behind a beam-block,
all in memory. The two tools take turns; ours registers all frames in each of its turns, again and again
for a second, for a series is long; the peer one frame in each of its own, 5 to 25 s and 4 GB for a frame of
2048 x 2048.
"""

from __future__ import annotations

import argparse
import time

from benchmarks.machine import describe, limit_threads, print_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=2048, metavar="PX", help="rows and columns (2048)")
    parser.add_argument("--threads", type=int, default=1, help="frames that ours registers at once (1)")
    parser.add_argument("--runs", type=int, default=3, help="turns of each tool (3)")
    parser.add_argument("--frames", type=int, default=16, help="frames in each of our turns (16)")
    parser.add_argument("--seconds", type=float, default=1.0, help="least time of each of our turns (1)")
    parser.add_argument("--no-peer", action="store_true", help="ours only")
    args = parser.parse_args()
    limit_threads(1)

    import numpy as np

    from maskreg import Registrar
    from maskreg.testing import ChromiumScan

    scan = ChromiumScan((args.size, args.size), scans=2, delays=tuple(range((args.frames + 2) // 2)))
    frames = [scan.frame(i) for i in range(args.frames + 1)]
    reference, moving, truth = frames[0], frames[1:], scan.shifts[1 : args.frames + 1]

    begin = time.perf_counter()
    registrar = Registrar(reference, scan.mask, scan.mask)
    registrar(moving[0])
    first = time.perf_counter() - begin

    ours: list[float] = []
    peers: list[float] = []
    answers, peer_errors = [], []
    for turn in range(args.runs):
        seconds, answers = _ours(registrar, moving, args.threads, args.seconds)
        ours.append(seconds)
        if not args.no_peer:
            k = turn % len(moving)
            seconds, shift = _peer(reference, moving[k], scan.mask)
            peers.append(seconds)
            peer_errors.append(float(np.hypot(*(shift - truth[k]))))

    errors = np.hypot(*(np.array([answer.shift for answer in answers]) - truth).T)
    print(describe("maskreg", "numpy", "scipy", "numba", "scikit-image"))
    print(
        f"{args.size} x {args.size} uint16, one static mask ({100 * (1 - scan.mask.mean()):.1f} % ignored); "
        f"maskreg: {len(moving)} frames, for {args.seconds:g} s a turn, {args.threads} at once; "
        "linear algebra on one thread"
    )
    print(f"maskreg, before the second frame (compile or load kernels, prepare the reference): {first:.2f} s")
    print()
    rows = [_row("maskreg", ours, errors, sum(answer.ok for answer in answers), len(moving))]
    if peers:
        rows.append(_row("scikit-image, masked", peers, np.array(peer_errors), None, len(peers)))
    turns = [f"turn {k + 1}" for k in range(args.runs)]
    print_table(["s per frame", *turns, "median", "rms error px", "largest px", "ok"], rows)
    if peers:
        print(f"\nratio of the medians: {np.median(peers) / np.median(ours):.0f}")


def _ours(registrar, moving, threads, least):
    """Return the seconds a frame of a turn of at least so many seconds, and the answers of its last round."""
    from maskreg.stream import ordered_map

    begin, rounds = time.perf_counter(), 0
    while rounds == 0 or time.perf_counter() - begin < least:
        answers = list(ordered_map(registrar, moving, workers=threads))
        rounds += 1
    return (time.perf_counter() - begin) / (rounds * len(moving)), answers


def _row(name, seconds, errors, ok, count) -> list[str]:
    import numpy as np

    rms = np.sqrt(np.mean(errors**2))
    return [
        name,
        *(f"{s:.4f}" for s in seconds),
        f"{np.median(seconds):.4f}",
        f"{rms:.3f}",
        f"{errors.max():.3f}",
        "-" if ok is None else f"{ok} of {count}",
    ]


def _peer(reference, moving, mask):
    """Return seconds and shift of scikit-image's masked registration, its defaults otherwise."""
    from skimage.registration import phase_cross_correlation

    begin = time.perf_counter()
    shift, _, _ = phase_cross_correlation(reference, moving, reference_mask=mask, moving_mask=mask)
    return time.perf_counter() - begin, shift


if __name__ == "__main__":
    main()
