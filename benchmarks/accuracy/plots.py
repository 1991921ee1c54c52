"""The pictures of the documentation: RMSE against dose with the bound drawn, and pixel locking."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import numpy as np

from benchmarks.accuracy.cells import LOCKING_DOSE, SCENES, Cell
from benchmarks.accuracy.figures import near
from benchmarks.accuracy.pairs import Outcomes

Measured = dict[str, dict[Cell, Outcomes]]
"""Outcomes by tool and cell."""

BINS = 10
"""Of the fractional shift."""

BEYOND = ("scikit-image", "no masks", "nothing filled in")
"""Words in the names of tools whose locking is beyond the axis."""

STYLES = ("o-", "s--", "d--", "^--", "v--", "<:", ">:", "x:", "+-.")


def plot_dose(measured: Measured, path: Path) -> None:
    """Draw the RMSE of each tool over the dose, a panel a scene, failures left out."""
    figure, panels = _panels()
    for scene, panel in zip(SCENES, panels, strict=True):
        for (tool, cells), style in zip(measured.items(), cycle(STYLES), strict=False):
            doses, rmse = [], []
            for cell, outcomes in cells.items():
                if cell.scene == scene and near(outcomes).any():
                    doses.append(cell.dose)
                    rmse.append(np.sqrt(np.mean(outcomes.error[near(outcomes)] ** 2)))
            panel.loglog(doses, rmse, style, label=tool, lw=2 if tool == "maskreg" else 1, ms=4)
        cells = [cell for cell in measured["maskreg"] if cell.scene == scene]
        bound = [_bound(measured["maskreg"][cell]) for cell in cells]
        panel.loglog([cell.dose for cell in cells], bound, "k", lw=1, label="bound", zorder=0)
        panel.set(title=scene, xlabel="electrons per pixel")
    panels[0].set_ylabel("RMSE per axis, px")
    _save(figure, panels, path)


def plot_locking(measured: Measured, path: Path) -> None:
    """Draw the mean error over the fractional shift, a panel a scene, both axes together."""
    figure, panels = _panels()
    for scene, panel in zip(SCENES, panels, strict=True):
        for (tool, cells), style in zip(measured.items(), cycle(STYLES), strict=False):
            if any(word in tool for word in BEYOND):
                continue
            for cell, outcomes in cells.items():
                if cell.scene == scene and cell.dose == LOCKING_DOSE:
                    centre, mean, spread = _binned(outcomes)
                    panel.errorbar(centre, 1e3 * mean, 1e3 * spread, fmt=style, label=tool, ms=3, lw=1)
        panel.axhline(0, color="k", lw=0.5)
        panel.set(title=f"{scene}, {LOCKING_DOSE:g} e/px", xlabel="fraction of the true shift, px")
        panel.set_ylim(-8, 8)
    panels[0].set_ylabel("mean error, 1/1000 px")
    _save(figure, panels, path)


def _bound(outcomes: Outcomes) -> float:
    return float(np.sqrt(np.mean(np.diagonal(outcomes.bound, axis1=1, axis2=2))))


def _binned(outcomes: Outcomes):
    """Return centre, mean error and its standard error in each bin of the fractional shift, px."""
    kept = near(outcomes)
    error = outcomes.error[kept].ravel()
    which = (outcomes.shift[kept].ravel() % 1 * BINS).astype(int)
    parts = [(k, error[which == k]) for k in range(BINS) if np.sum(which == k) > 1]
    centre = np.array([(k + 0.5) / BINS for k, _ in parts])
    mean = np.array([part.mean() for _, part in parts])
    return centre, mean, np.array([part.std(ddof=1) / np.sqrt(part.size) for _, part in parts])


def _panels():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(SCENES), figsize=(10, 4.2), sharey=True)
    return figure, panels


def _save(figure, panels, path: Path) -> None:
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=3, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.16, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90, metadata={"Software": None})
