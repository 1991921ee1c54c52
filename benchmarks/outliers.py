"""How many wrong frames of simulated drifts are flagged, how many good ones, and how good repair is.

    python -m benchmarks.outliers [--series 40] [--frames 1000]

Against a plain running median: a frame is flagged when it lies farther than seven sigma (of the
residuals' own median size) from the median of the eleven frames around it.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.ndimage import median_filter

from maskreg.series.after.drift import LIMIT, TO_SIGMA, find_jumps, find_outliers, interpolate

NOISE = 0.02
"""Sigma of a frame's shift, px."""

JUMPS, APART, MARGIN = 5, 40, 30
"""How many jumps a drift has, how many frames they are apart at least, and from its ends."""

DRIFTS = ("still", "smooth", "walk", "rough walk", "smooth and walk", "with jumps", "uneven")
WRONG = ("anywhere", "1 px off", "lattice")
SHARES = (0.0, 0.01, 0.05, 0.2)


def simulate_drift(kind, frames, rng):
    """Return a true drift (frames, 2), px, and the frames at which it jumps."""
    time = np.linspace(0, 1, frames)[:, None]
    smooth = rng.uniform(5, 30, 2) * np.sin(2 * np.pi * (rng.uniform(0.5, 4, 2) * time + rng.random(2)))
    walk = np.cumsum(rng.normal(0, 0.05, (frames, 2)), axis=0)
    jumps = np.zeros((frames, 2))
    at = np.sort(rng.choice(np.arange(MARGIN, frames - MARGIN, APART), JUMPS, replace=False))
    for frame in at:
        jumps[frame:] += rng.choice([-1, 1], 2) * rng.uniform(2, 10, 2)
    uneven = np.cumsum(rng.normal(0, 1, (frames, 2)) * np.where(time % 0.3 > 0.2, 0.5, 0.01), axis=0)
    drifts = {
        "still": np.zeros((frames, 2)),
        "smooth": smooth,
        "walk": walk,
        "rough walk": 20 * walk,
        "smooth and walk": smooth + walk,
        "with jumps": smooth + walk + jumps,
        "uneven": uneven,
    }
    return drifts[kind], at if kind == "with jumps" else np.array([], int)


def make_wrong(kind, drift, share, rng):
    """Return which frames are wrong, and the drift with these put elsewhere."""
    frames = len(drift)
    wrong = rng.random(frames) < share
    wrong[:6] = wrong[-6:] = False
    if kind == "anywhere":
        away = rng.uniform(-100, 100, (frames, 2))
    elif kind == "1 px off":
        angle = rng.uniform(0, 2 * np.pi, frames)
        away = np.column_stack([np.cos(angle), np.sin(angle)])
    else:
        away = 12.0 * rng.choice([[0, 1], [1, 0], [0, -1], [-1, 0]], frames)
    return wrong, np.where(wrong[:, None], drift + away, drift)


def running_median(shifts):
    """Return which frames a plain running median flags."""
    residual = shifts - median_filter(shifts, size=(11, 1), mode="nearest")
    sigma = TO_SIGMA * np.median(np.abs(residual), axis=0) + 1e-9
    return np.hypot(*(residual / sigma).T) > LIMIT


def measure(drift_kind, wrong_kind, share, *, series, frames, seed=0):
    """Return shares and spreads over `series` simulated series, by name.

    Names are ``found`` and ``found_median`` (of the wrong frames, flagged), ``false`` and
    ``false_median`` (of the good ones), ``jumps`` (of the true jumps, found), ``false_jumps`` (a
    thousand frames), ``repair_px`` (rms error of repaired frames) and ``repair_z`` (its spread in
    sigmas).
    """
    rng = np.random.default_rng(seed)
    counts = dict.fromkeys(("wrong", "found", "found_median", "false", "false_median"), 0)
    jumps = dict.fromkeys(("true", "found", "false"), 0)
    errors, scores = [], []
    covariance = np.tile(NOISE**2 * np.eye(2), (frames, 1, 1))
    for _ in range(series):
        drift, at = simulate_drift(drift_kind, frames, rng)
        wrong, shifts = make_wrong(wrong_kind, drift, share, rng)
        shifts = shifts + rng.normal(0, NOISE, (frames, 2))
        good = np.ones(frames, dtype=bool)
        flagged = find_outliers(shifts, covariance, good)
        plain = running_median(shifts)
        counts["wrong"] += wrong.sum()
        counts["found"] += (flagged & wrong).sum()
        counts["found_median"] += (plain & wrong).sum()
        counts["false"] += (flagged & ~wrong).sum()
        counts["false_median"] += (plain & ~wrong).sum()
        found = [jump.frame for jump in find_jumps(shifts, covariance, ~flagged)]
        # a jump onto a wrong frame shows at the next good one
        hits = sum(any(0 <= frame - jump <= 3 for frame in found) for jump in at)
        jumps["true"] += len(at)
        jumps["found"] += hits
        jumps["false"] += len(found) - hits
        values, sigmas = interpolate(shifts, covariance, ~flagged)
        difference = (values - drift)[flagged & wrong]
        errors.append(difference.ravel())
        scores.append((difference / sigmas[flagged & wrong]).ravel())
    right = series * frames - counts["wrong"]
    wrong_count, errors, scores = counts["wrong"], np.concatenate(errors), np.concatenate(scores)
    return {
        "found": counts["found"] / wrong_count if wrong_count else np.nan,
        "found_median": counts["found_median"] / wrong_count if wrong_count else np.nan,
        "false": counts["false"] / right,
        "false_median": counts["false_median"] / right,
        "jumps": jumps["found"] / jumps["true"] if jumps["true"] else np.nan,
        "false_jumps": 1000 * jumps["false"] / (series * frames),
        "repair_px": float(np.sqrt(np.mean(errors**2))) if errors.size else np.nan,
        "repair_z": float(np.sqrt(np.mean(scores**2))) if scores.size else np.nan,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--series", type=int, default=40)
    parser.add_argument("--frames", type=int, default=1000)
    args = parser.parse_args()
    if args.frames < (fewest := 2 * MARGIN + (JUMPS - 1) * APART + 1):
        parser.error(f"--frames {args.frames}: {JUMPS} jumps need {fewest} frames")
    print(f"{args.series} series of {args.frames} frames a line, sigma of a frame {NOISE} px; shares in %")
    print(
        f"{'drift':16} {'wrong frames':17}  {'found':>6} {'(median)':>8}  {'false':>6} {'(median)':>8}",
        end="",
    )
    print(f"  {'jumps':>6} {'false/1000':>10}  {'repair px':>9} {'spread':>6}")
    for drift in DRIFTS:
        for share in SHARES:
            for wrong in WRONG if share else WRONG[:1]:
                got = measure(drift, wrong, share, series=args.series, frames=args.frames)
                name = f"{share:.0%} {wrong}" if share else "none"
                print(
                    f"{drift:16} {name:17}  {100 * got['found']:6.1f} {100 * got['found_median']:8.1f}"
                    f"  {100 * got['false']:6.3f} {100 * got['false_median']:8.3f}"
                    f"  {100 * got['jumps']:6.1f} {got['false_jumps']:10.2f}"
                    f"  {got['repair_px']:9.3f} {got['repair_z']:6.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
