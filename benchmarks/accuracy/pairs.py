"""Simulate the pairs of a cell and register them, with default arguments, knowing the truth."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.cells import BLOCKS, BOUNDS, LARGEST_SHIFT, READ_NOISE, SCENES, Cell
from benchmarks.accuracy.efficient import efficient_error
from benchmarks.accuracy.garbage import hide
from maskreg.testing import Detector, beam_block, simulate_pair


@dataclass(frozen=True)
class Case:
    """One pair with its truth.

    Attributes
    ----------
    reference, moving : (rows, columns) uint16
        Counts.
    mask : (rows, columns) bool
        True = valid; of both.
    shift : (2,) float64
        The true one, px.
    bound : (2, 2) float64
        The least covariance any tool could have, px².
    efficient : (2,) float64
        Error of the efficient estimate on the same noise, over its sigma; see `efficient`.
    expected : (rows, columns) float64
        The reference without noise, electrons; for `oracle`.
    """

    reference: NDArray[np.uint16]
    moving: NDArray[np.uint16]
    mask: NDArray[np.bool_]
    shift: NDArray[np.float64]
    bound: NDArray[np.float64]
    efficient: NDArray[np.float64]
    expected: NDArray[np.float64]


@dataclass(frozen=True)
class Answer:
    """What a tool said of a pair: shift and covariance (NaN where it said nothing), and a status."""

    shift: NDArray[np.float64]
    covariance: NDArray[np.float64]
    status: str


@dataclass(frozen=True)
class Outcomes:
    """The pairs of a cell, one row each.

    Attributes
    ----------
    shift, error : (n, 2) float64
        True shift, and answer minus truth, px; NaN without an answer.
    covariance, bound : (n, 2, 2) float64
        Claimed, and least possible, px².
    efficient : (n, 2) float64
        As in `Case`; NaN where it is not known.
    status : (n,) str
    """

    shift: NDArray[np.float64]
    error: NDArray[np.float64]
    covariance: NDArray[np.float64]
    bound: NDArray[np.float64]
    efficient: NDArray[np.float64]
    status: NDArray[np.str_]

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Which answers are trusted."""
        return self.status == "ok"


Tool = Callable[[Case], Answer]

KEPT_PAIRS = 50
"""So many pairs are kept in one file, so that an interrupted run loses no more."""


def maskreg_answer(case: Case) -> Answer:
    """Register with default arguments: neither gain nor read noise is told."""
    from maskreg import register

    answer = register(case.reference, case.moving, case.mask, case.mask)
    return Answer(answer.shift, answer.covariance, answer.status.label)


def make_case(cell: Cell, index: int, seed: int) -> Case:
    """Return pair number `index` of a cell; nothing else changes it.

    Pairs of one scene have the same shift, mask and size at every dose.
    """
    key = [seed, zlib.crc32(cell.scene.encode()), index]
    draw = np.random.default_rng([*key, 0])
    size = int(draw.choice(cell.sizes))
    scene = SCENES[cell.scene]((size, size), seed=int(draw.integers(2**31)))
    drift = draw.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, 2)
    mask = beam_block(scene.shape, str(draw.choice(BLOCKS)))
    read_noise = float(draw.choice(READ_NOISE))
    noise = np.random.default_rng([*key, 1, zlib.crc32(cell.name.encode())])
    detector = Detector(read_noise=read_noise, dtype=np.uint16)
    pair = simulate_pair(scene, drift, cell.dose, mask, noise, detector=detector)
    efficient = efficient_error(scene, drift, cell.dose, read_noise, pair)
    frames = np.stack([pair.reference, pair.moving])
    hide(frames, mask, cell.dose, noise)
    bound = BOUNDS[cell.scene](scene, drift, mask, cell.dose, read_noise)
    return Case(frames[0], frames[1], mask, -drift, bound, efficient, cell.dose * scene.render())


def run_cell(
    cell: Cell, pairs: int, workers: int = 1, *, seed: int = 0, tool: Tool = maskreg_answer
) -> Outcomes:
    """Return the outcomes of the first `pairs` pairs of a cell.

    Parameters
    ----------
    cell : Cell
    pairs : int
    workers : int
        Processes; they change no figure.
    seed : int
        Another one draws other pairs.
    tool : callable
        What registers; `maskreg.register` by default.
    """
    return next(run_cells([cell], pairs, workers, seed=seed, tools=[tool]))[0]


def run_cells(
    cells: Iterable[Cell],
    pairs: int,
    workers: int = 1,
    *,
    seed: int = 0,
    tools: Sequence[Tool] = (maskreg_answer,),
    keep: Path | None = None,
) -> Iterator[list[Outcomes]]:
    """Yield, for each cell, the outcomes of each tool on the same pairs; see `run_cell`.

    In the folder `keep` they are kept, some pairs a file, and what is there is not measured again: it
    is for one version of the tools only.
    """
    with mapper(workers) as run:
        for cell in cells:
            parts = []
            for start in range(0, pairs, KEPT_PAIRS):
                indices = range(start, min(pairs, start + KEPT_PAIRS))
                name = (
                    f"{cell.name}-{'-'.join(tool.__name__ for tool in tools)}-{seed}-{start}-{len(indices)}"
                )
                file = None if keep is None else keep / f"{name}.npz"
                if file is not None and file.exists():
                    parts.append(_read(file, len(tools)))
                    continue
                rows = run(partial(_measured, cell, seed, tools), indices)
                parts.append([gathered(column) for column in zip(*rows, strict=True)])
                if file is not None:
                    _write(file, parts[-1])
            yield [joined(column) for column in zip(*parts, strict=True)]


def joined(parts: Sequence[Outcomes]) -> Outcomes:
    """Return outcomes of one tool one after the other."""
    return Outcomes(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Outcomes)))


def _write(file: Path, outcomes: list[Outcomes]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    with part.open("wb") as stream:
        np.savez(
            stream,
            **{f"{k}_{f.name}": getattr(o, f.name) for k, o in enumerate(outcomes) for f in fields(Outcomes)},
        )
    part.replace(file)


def _read(file: Path, tools: int) -> list[Outcomes]:
    with np.load(file) as kept:
        return [Outcomes(*(kept[f"{k}_{f.name}"] for f in fields(Outcomes))) for k in range(tools)]


class mapper:
    """A map over processes, or over none: ``with mapper(workers) as run: run(function, items)``."""

    def __init__(self, workers: int) -> None:
        # spawned: a forked process would inherit threads of the parent's kernels
        self._pool = ProcessPoolExecutor(workers, get_context("spawn")) if workers > 1 else None

    def __enter__(self):
        return map if self._pool is None else partial(self._pool.map, chunksize=4)

    def __exit__(self, *_) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class Measured:
    """An answer with the truth; the fields are those of `Case`."""

    shift: NDArray[np.float64]
    answer: Answer
    bound: NDArray[np.float64]
    efficient: NDArray[np.float64] = field(default_factory=lambda: np.full(2, np.nan))


def gathered(measured: Iterable[Measured]) -> Outcomes:
    """Return measured pairs as columns."""
    rows = list(measured)
    shifts = np.array([row.shift for row in rows])
    return Outcomes(
        shifts,
        np.array([row.answer.shift for row in rows]) - shifts,
        np.array([row.answer.covariance for row in rows]),
        np.array([row.bound for row in rows]),
        np.array([row.efficient for row in rows]),
        np.array([row.answer.status for row in rows]),
    )


def _measured(cell: Cell, seed: int, tools: Sequence[Tool], index: int) -> list[Measured]:
    case = make_case(cell, index, seed)
    return [Measured(case.shift, tool(case), case.bound, case.efficient) for tool in tools]
