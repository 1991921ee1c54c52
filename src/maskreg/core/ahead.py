"""What an ordinary frame needs of the reference, made before the first frame on several threads.

A series makes it once, and its workers have other frames meanwhile. Who registers one pair waits for it.
Each thing is computed as it would be when it is first asked for, so nothing depends on the threads.

Threads take turns with the interpreter, and to change hands takes as long as many of the steps: only what
spends its time in transforms is given to another one.
"""

from __future__ import annotations

import scipy.fft

from maskreg.core.machine.in_parallel import in_parallel
from maskreg.core.masked_side import MaskedSide


def prepare(masked: MaskedSide, threads: int) -> None:
    """Make what a frame needs that the first look places, on so many threads.

    The reference has valid pixels of some variance.
    """
    if not masked.looks:  # the reference shows little: what is needed the search will tell
        return
    found_at = masked.looks[0]
    stages = masked.stages(found_at, look=True)
    template = masked.side.template(*stages[-1])
    tasks = (lambda: template.error.table, lambda: _make_others(masked, found_at, stages))
    with scipy.fft.set_workers(threads):
        in_parallel(lambda k: tasks[k](), len(tasks))


def _make_others(masked: MaskedSide, found_at: int, stages: list[tuple[int, float | None]]) -> None:
    """Make what is needed beside what interpolation adds to the sums of the last stage."""
    side = masked.side
    masked.search(found_at)
    side.template(found_at)
    side.template(*stages[0])
    side.block(*stages[-1])
    above = masked.above(stages[-1][0])
    side.rings(above)
    for b in (stages[0][0], stages[-1][0], above):
        masked.surrounded(b)
