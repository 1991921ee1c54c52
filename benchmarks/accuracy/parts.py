"""The parts of the command, each of which measures one thing and prints its table."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from fnmatch import fnmatch

import numpy as np

from benchmarks.accuracy import cells, laboratory, plots
from benchmarks.accuracy.cells import CELLS, SCENES
from benchmarks.accuracy.figures import Summary, locking, near, summarise
from benchmarks.accuracy.noise_free import greatest_error
from benchmarks.accuracy.oracle import oracle_answer
from benchmarks.accuracy.pairs import Outcomes, maskreg_answer, run_cells
from benchmarks.accuracy.peers import available
from benchmarks.accuracy.report import Report
from benchmarks.accuracy.stripes import ANGLES, stripes
from benchmarks.accuracy.thinning import PARTS as THINNED_TO
from benchmarks.accuracy.thinning import counted_frames, thinned_outcomes

NOISE_FREE_SHIFTS = 20


def measure_pairs(args: argparse.Namespace, report: Report) -> None:
    """Print error over bound, z-scores and failures of every cell, and the locking of some."""
    chosen = [cell for cell in CELLS if fnmatch(cell.name, args.cells)]
    report.title("Pairs: root mean square of error over bound, per axis ('!': beyond its limit)")
    rows, locked = [], []
    measured = run_cells(chosen, args.pairs, args.workers, seed=args.seed, keep=args.keep)
    for cell, (outcomes,) in zip(chosen, measured, strict=True):
        report.doing(f"{cell.name}: measured")
        rows.append(_cell_row(cell, summarise(outcomes), report))
        if cell.dose == cells.LOCKING_DOSE:
            locked.append(_locking_row(cell, outcomes, report))
    header = [
        "cell",
        "pairs",
        "RMSE/bound",
        "95 % below",
        "adjusted",
        "+-",
        "limit",
        "z spread",
        "95 % within",
    ]
    report.table("pairs", [*header, "flagged", "gross, ok", "gross, all"], rows)
    if locked:
        report.title("Pixel locking: amplitude of the error over the fractional shift, 1/1000 px")
        report.table("locking", ["cell", "one a pixel", "two a pixel", "+-", "limit"], locked)


def _cell_row(cell: cells.Cell, s: Summary, report: Report) -> list[str]:
    limited = cell.rmse is not None
    rmse_mark = report.limit(f"{cell.name}: RMSE over bound", s.rmse, cell.rmse) if limited else ""
    z_mark = report.limit(f"{cell.name}: z spread", s.z, *reversed(cells.Z_SPREAD)) if limited else ""
    gross_mark = report.limit(f"{cell.name}: part of gross failures", s.gross / s.pairs, cell.gross)
    return [
        cell.name,
        str(s.pairs),
        f"{s.rmse:.3f}{rmse_mark}",
        f"{s.rmse_upper:.3f}",
        f"{s.adjusted:.3f}",
        f"{s.adjusted_error:.3f}",
        f"{cell.rmse:.2f}" if limited else "-",
        f"{s.z:.3f}{z_mark}",
        f"{s.z_low:.2f}-{s.z_high:.2f}",
        f"{100 * s.flagged:.1f} %",
        str(s.gross_ok),
        f"{s.gross}{gross_mark}",
    ]


def _locking_row(cell: cells.Cell, outcomes: Outcomes, report: Report) -> list[str]:
    found = locking(outcomes)
    most = cells.LOCKING[cell.scene]
    # what noise alone would show is no locking
    shown = np.sqrt(np.maximum(found.amplitudes**2 - 2 * found.standard_error**2, 0))
    mark = report.limit(f"{cell.name}: locking, px", float(shown.max()), most)
    first, second = 1e3 * found.amplitudes
    return [
        cell.name,
        f"{first:.2f}{mark}",
        f"{second:.2f}",
        f"{1e3 * found.standard_error:.2f}",
        f"{1e3 * most:.1f}",
    ]


def measure_noise_free(args: argparse.Namespace, report: Report) -> None:
    """Print the greatest error of exact images."""
    report.title(f"Exact images without noise: greatest error of {NOISE_FREE_SHIFTS} shifts, px")
    rows = []
    for scene, most in cells.NOISE_FREE.items():
        error = greatest_error(scene, NOISE_FREE_SHIFTS, args.seed)
        mark = report.limit(f"{scene} without noise: error, px", error, most)
        rows.append([scene, f"{error:.1e}{mark}", f"{most:.0e}"])
    report.table("noise-free", ["scene", "error", "limit"], rows)


def measure_thinning(args: argparse.Namespace, report: Report) -> None:
    """Print the z-scores of real count frames thinned into independent halves."""
    frames = counted_frames()
    report.title("Real x-ray frames of photon counts, thinned: spread of the z-scores")
    if not frames:
        print("(left out: the real frames are not here)")
        return
    rows = []
    for part in THINNED_TO:
        report.doing(f"thinned to {part:g}")
        outcomes = thinned_outcomes(frames, part, args.pairs, args.seed)
        s, sigma = summarise(outcomes), np.sqrt(np.median(outcomes.covariance[outcomes.ok, 0, 0]))
        mark = report.limit(f"thinned to {part:g}: z spread", s.z, *reversed(cells.Z_SPREAD))
        rows.append(
            [
                f"{part:g} of the counts",
                str(s.pairs),
                f"{1e3 * sigma:.1f}",
                f"{s.z:.3f}{mark}",
                f"{s.z_low:.2f}-{s.z_high:.2f}",
                f"{100 * s.flagged:.1f} %",
                str(s.gross_ok),
            ]
        )
    header = ["part", "pairs", "sigma, 1/1000 px", "z spread", "95 % within", "flagged", "gross, ok"]
    report.table("thinning", header, rows)


def measure_laboratory(args: argparse.Namespace, report: Report) -> None:
    """Print what each trouble of a laboratory does to pairs and series."""
    report.title(f"A laboratory's troubles at {laboratory.DOSE:g} e/px, 192 x 192 (bias in claimed sigmas)")
    rows = []
    for situation, kind, v in laboratory.all_verdicts(args.pairs, args.workers, args.seed, args.cells):
        report.doing(f"{situation.name}, {kind}: measured")
        mark = ""
        if situation.limited and not v.kept:
            mark = "!"
            report.exceeded.append(
                f"{situation.name} ({kind}): bias {v.bias:.2f} +- {v.bias_error:.2f} sigma, "
                f"{100 * v.flagged:.0f} % flagged"
            )
        rows.append(
            [
                situation.name,
                kind,
                str(v.frames),
                f"{v.bias:.2f}{mark}",
                f"{v.bias_error:.2f}",
                f"{v.rmse:.2f}",
                f"{v.z:.2f}",
                f"{100 * v.flagged:.0f} %",
            ]
        )
    header = ["trouble", "as", "frames", "bias", "+-", "RMSE/bound", "z spread", "flagged"]
    report.table("laboratory", header, rows)
    if fnmatch("frames without a pattern", args.cells):
        found = laboratory.static_frames(max(2, args.pairs // laboratory.FRAMES), args.seed)
        print(f"\nFrames that hold only what stands still, statuses: {found}")
        report.limit("frames that hold only what stands still: called ok", found.get("ok", 0), 0)


def measure_lines(args: argparse.Namespace, report: Report) -> None:
    """Print whether the covariance of parallel lines is long along them."""
    report.title("Parallel lines at 100 e/px: long axis of the covariance")
    rows = []
    for angle in ANGLES:
        s = stripes(angle, 100.0, min(args.pairs, 20), args.seed)
        statuses = ", ".join(f"{count} {label}" for label, count in s.statuses.items())
        tilt = f"{s.tilt:.2f}"
        rows.append(
            [f"{np.degrees(angle):.0f} deg", statuses, tilt, f"{s.elongation:.3g}", f"{s.z_across:.2f}"]
        )
    report.table("lines", ["across at", "status", "axis off by, deg", "long/short", "z across"], rows)


def measure_search(args: argparse.Namespace, report: Report) -> None:
    """Print how often faint pairs are placed, and how often they can be."""
    chosen = [cell for cell in CELLS if cell.rmse is None and fnmatch(cell.name, args.cells)]
    report.title("Search at low dose: pairs placed, and by a search that knows the true spectrum")
    rows = []
    tools = (maskreg_answer, oracle_answer)
    measured = run_cells(chosen, args.pairs, args.workers, seed=args.seed, tools=tools, keep=args.keep)
    for cell, (ours, oracle) in zip(chosen, measured, strict=True):
        report.doing(f"{cell.name}: measured")
        right, possible = near(ours), near(oracle)
        parts = (right, right & ours.ok, ~right & ours.ok, possible)
        rows.append([cell.name, str(len(right)), *(str(int(np.sum(part))) for part in parts)])
    header = ["cell", "pairs", "right", "right and ok", "wrong and ok", "right, true spectrum known"]
    report.table("search", header, rows)


def measure_peers(args: argparse.Namespace, report: Report) -> None:
    """Print and draw every tool on the same pairs."""
    tools, missing = available()
    chosen = [cell for cell in CELLS if cell.rmse is not None and fnmatch(cell.name, args.cells)]
    measured: plots.Measured = {name: {} for name in tools}
    for cell, outcomes in zip(
        chosen,
        run_cells(
            chosen, args.pairs, args.workers, seed=args.seed, tools=list(tools.values()), keep=args.keep
        ),
        strict=True,
    ):
        report.doing(f"{cell.name}: measured")
        for name, found in zip(tools, outcomes, strict=True):
            measured[name][cell] = found
    report.title(
        f"RMSE over bound of the answers within {cells.GROSS:g} px, and in brackets the part of the other "
        f"answers; {args.pairs} pairs a cell"
    )
    for scene in SCENES:
        here = sorted((cell for cell in chosen if cell.scene == scene), key=lambda cell: cell.dose)
        if here:
            rows = [[name, *(_peer_text(found[cell]) for cell in here)] for name, found in measured.items()]
            report.table(f"peers-{scene}", [scene, *(f"{cell.dose:g} e/px" for cell in here)], rows)
            print()
    if missing:
        print(f"(left out, not installed: {', '.join(missing)})")
    if len(chosen) == sum(cell.rmse is not None for cell in CELLS):
        plots.plot_dose(measured, args.images / "accuracy-dose.png")
        plots.plot_locking(measured, args.images / "accuracy-locking.png")


def _peer_text(outcomes: Outcomes) -> str:
    kept = near(outcomes)
    failed = f" ({100 * np.mean(~kept):.0f} %)" if not kept.all() else ""
    if not kept.any():
        return f"-{failed}"
    variance = np.diagonal(outcomes.bound[kept], axis1=1, axis2=2)
    return f"{np.sqrt(np.mean(outcomes.error[kept] ** 2 / variance)):.2f}{failed}"


PARTS: dict[str, Callable[[argparse.Namespace, Report], None]] = {
    "pairs": measure_pairs,
    "noise-free": measure_noise_free,
    "thinning": measure_thinning,
    "laboratory": measure_laboratory,
    "lines": measure_lines,
    "search": measure_search,
    "peers": measure_peers,
}
"""By the name on the command line."""

PEER_PACKAGES = ("scikit-image", "SimpleITK", "pystackreg", "opencv-python-headless")
"""Whose versions are printed with the peers."""
