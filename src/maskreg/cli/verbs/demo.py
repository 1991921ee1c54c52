"""``maskreg demo``: the main job with no input of the user's, judged against a known truth."""

from __future__ import annotations

import logging
import shlex
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from maskreg.cli import exits
from maskreg.cli.run_report import REPORT, renew_report
from maskreg.errors import UsageError, first_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from maskreg.frames import FrameSource
    from maskreg.series import Alignment, Origin
    from maskreg.testing.chromium import ChromiumScan

log = logging.getLogger(__name__)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``demo``."""
    parser.add_argument(
        "-o", "--output", default="maskreg-demo", metavar="FOLDER", help="where to (default: ./maskreg-demo)"
    )
    parser.add_argument(
        "--size", type=int, default=1024, metavar="PX", help="rows and columns of a frame (1024)"
    )
    parser.add_argument("--no-report", action="store_true", help="write no report.html")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")
    parser.set_defaults(when_interrupted="the same command starts anew")


def run(args: Namespace) -> int:
    """Write a scan, align it from its files with and without its mask, and print the errors."""
    import numpy as np

    from maskreg.frames import open_frames
    from maskreg.masks import describe_mask, load_mask
    from maskreg.series import align, align_run
    from maskreg.testing.chromium import ChromiumScan

    folder = _made(Path(args.output))
    progress = not args.no_progress and args.verbosity == 0
    scan = ChromiumScan((args.size, args.size))
    _ensure_no_others(folder / "frames", scan.names)
    log.info("writing %d frames of %d x %d px to %s", len(scan), *scan.shape, folder / "frames")
    scan.write(folder)
    with open_frames(folder / "frames") as source:
        mask = load_mask(folder / "valid_mask.tif")
        log.info("aligning them with their mask (%s), then without a mask", describe_mask(mask))
        masked = align_run(
            source, folder / "run", mask, progress=progress, overwrite=True, origin=_origin(folder)
        )
        unmasked = align(source, progress=progress)
        truth = _truth(scan, source)
        print(f"{source.describe()}: chromium rings behind a beam-block that does not move")
        print(f"the beam drifts: true shifts of up to {np.hypot(*truth.T).max():.1f} px")
        print(_verdict("with the mask", masked, truth))
        print(_verdict("without a mask", unmasked, truth))
        _draw(source, masked, mask, folder / "alignment.png")
    renew_report(folder / "run", wanted=not args.no_report)
    print(f"picture: {folder / 'alignment.png'}")
    print(f"table:   {folder / 'run' / 'shifts.csv'}")
    if (report := folder / "run" / REPORT).is_file():
        print(f"report:  {report}")
    print(f"Try: {shlex.join(['maskreg', *_command(folder, 'my-run')])}")
    return exits.FLAGGED if masked.table().flagged else exits.DONE


def _command(folder: Path, run: Path | str) -> list[str]:
    """Return the arguments that align the frames of the demo with their mask."""
    return ["align", str(folder / "frames"), "--valid", str(folder / "valid_mask.tif"), "-o", str(run)]


def _origin(folder: Path) -> Origin:
    from maskreg.series import Origin

    return Origin.here([str(folder / "frames")], _command(folder, folder / "run"))


def _made(folder: Path) -> Path:
    """Make the folder; never write among files that are not ours."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name another folder with -o")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "truth_shifts.csv").exists():
        raise UsageError(f"{folder} holds other files; name another folder with -o")
    return folder


def _ensure_no_others(frames: Path, names: list[str]) -> None:
    """Refuse frames of an earlier demo to which somebody has added some: their truth is not known."""
    others = sorted({path.name for path in frames.glob("*")} - set(names))
    if others:
        raise UsageError(
            f"{frames} holds {first_of(others)}, too; take them away, or name another folder with -o"
        )


def _truth(scan: ChromiumScan, source: FrameSource) -> NDArray[np.float64]:
    """Return the true shifts onto the first frame, in the order of the files (not that of the scan)."""
    import numpy as np

    shifts = dict(zip(scan.names, scan.shifts, strict=True))
    truth = np.array([shifts[source.name(frame)] for frame in range(len(source))])
    return np.asarray(truth - truth[0])


def _verdict(case: str, alignment: Alignment, truth: NDArray[np.float64]) -> str:
    """Return a line about the distances from the truth, of the frames said to be ok."""
    import numpy as np

    ok = alignment.ok
    ok[0] = False  # the reference is right by definition
    errors = np.hypot(*(alignment.shifts - truth)[ok].T)
    flagged = f"{alignment.table().flagged} of {len(alignment)} frames flagged"
    if errors.size == 0:
        return f"{case + ':':15} {flagged}"
    rms = float(np.sqrt(np.mean(errors**2)))
    return f"{case + ':':15} error rms {rms:6.3f} px, largest {errors.max():6.3f} px, {flagged}"


def _draw(source: FrameSource, alignment: Alignment, mask: NDArray[np.bool_], path: Path) -> None:
    """Draw the frame that had drifted farthest, before and after."""
    import numpy as np

    from maskreg.apply.shift_image import shift_image
    from maskreg.report.figure import draw_alignment_figure

    frame = int(np.nanargmax(np.hypot(*alignment.shifts.T)))
    row = alignment.table()[frame]
    moving = source.read(frame)
    aligned, aligned_mask = shift_image(moving, row.registration.shift, mask)
    draw_alignment_figure(
        source.read(0),
        moving,
        aligned,
        mask,
        aligned_mask,
        title=f"maskreg demo: {row.source} onto {source.name(0)}",
        path=path,
        shift=row.registration.shift,
        uncertainty=row.registration.uncertainty,
    )
