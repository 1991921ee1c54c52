"""Apply or merge a run in a process that can be killed: ``stoppable.py VERB RUN OUTPUT LOG``.

Batches are small and every frame takes a little time; the log gets a line for every frame that is moved.
"""

from __future__ import annotations

import sys
import time

import maskreg
from maskreg.apply import merge
from maskreg.apply.aligned import AlignedFrames
from maskreg.outputs import description
from maskreg.shifts import FrameRow

moved = AlignedFrames.of


def slow(aligned: AlignedFrames, row: FrameRow):
    with open(sys.argv[4], "a", encoding="utf-8") as log:  # noqa: PTH123 (as short as can be)
        log.write(f"{row.frame}\n")
    time.sleep(0.01)
    return moved(aligned, row)


if __name__ == "__main__":
    verb, run, output = sys.argv[1:4]
    AlignedFrames.of = slow  # type: ignore[method-assign]
    merge._SHORTEST = 0.02
    description.BATCH_BYTES = 2 * 4 * 32 * 32
    alignment = maskreg.open_run(run)
    try:
        if verb == "apply":
            alignment.apply(output, workers=2)
        else:
            alignment.merge(output, by="delay" if verb == "merge_by" else None, normalise=True, workers=2)
    except maskreg.errors.MaskregError as error:
        sys.exit(str(error))
