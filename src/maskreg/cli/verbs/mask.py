"""``maskreg mask auto INPUT -o FILE`` finds a mask; ``maskreg mask show INPUT -o FILE`` draws one."""

from __future__ import annotations

import json
import logging
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from maskreg.cli import exits
from maskreg.cli.flags import values
from maskreg.cli.flags.mask import add_mask_flags, mask_from, names_mask
from maskreg.cli.output_file import ensure_apart, free, suffix_of
from maskreg.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from maskreg.frames import FrameSource

log = logging.getLogger(__name__)


_ALONE = {"auto": "workers", "show": "frame"}
"""The option that one action has, and the other no use for."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``mask``."""
    parser.add_argument(
        "action",
        choices=("auto", "show"),
        help="auto: find what stays still while the pattern moves; show: draw a mask over a frame",
    )
    parser.add_argument(
        "input",
        nargs="+",
        metavar="INPUT",
        help="files, a folder, a pattern in quotes, or FILE.h5::/DATASET",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="auto: the mask, nonzero = valid (.tif, .png, .npy; default: INPUT_valid.tif); "
        "show: the picture (.png; default: INPUT_mask.png)",
    )
    parser.add_argument("--frame", type=int, metavar="N", help="show: over which frame (0)")
    add_mask_flags(
        parser, "a mask (auto: what is found is compared with it, and not changed; show: it is drawn)"
    )
    parser.add_argument(
        "--workers",
        type=values.workers,
        metavar="N",
        help="auto: frames registered at once (default: all cores)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it is there")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(args: Namespace) -> int:
    """Find or draw a mask."""
    for action, option in _ALONE.items():
        if args.action != action and getattr(args, option) is not None:
            raise UsageError(f"--{option} is for mask {action}")

    from maskreg.frames import open_frames

    with open_frames(args.input) as source:
        given = mask_from(args, source.shape, lambda: source.read(0)) if names_mask(args) else None
        if args.action == "auto":
            return _auto(args, source, given)
        return _show(args, source, given)


def _auto(args: Namespace, source: FrameSource, given: NDArray[np.bool_] | None) -> int:
    from maskreg.masks import grow, save_mask
    from maskreg.masks.files import MASK_SUFFIXES
    from maskreg.series.mask.find_mask import find_mask

    output = free(args.output or _proposed(args.input[0], "valid.tif"), args.overwrite)
    suffix_of(output, "a mask", *MASK_SUFFIXES)
    ensure_apart(output, args.input)
    found = find_mask(source, given=given, workers=args.workers)
    for warning in found.warnings:
        log.warning("%s", warning)
    found = replace(found, mask=grow(found.mask, args.grow))
    save_mask(output, found.mask)
    summary = {
        "output": str(output),
        "ignored": float(1 - found.mask.mean()),
        "frames": len(found.frames),
        "drift_px": found.drift,
        "warnings": list(found.warnings),
    }
    text = f"{found.describe()}\nmask (nonzero = valid): {output}"
    print(json.dumps(summary) if args.json else text)
    return exits.FLAGGED if found.warnings else exits.DONE


def _show(args: Namespace, source: FrameSource, given: NDArray[np.bool_] | None) -> int:
    from maskreg.masks import describe_mask
    from maskreg.report import draw_mask_figure

    if given is None:
        raise UsageError("mask show needs a mask: --valid FILE, --ignore FILE, --ignore-disk R,C,RADIUS ...")
    output = free(args.output or _proposed(args.input[0], "mask.png"), args.overwrite)
    suffix_of(output, "a picture", ".png")
    ensure_apart(output, args.input)
    frame = args.frame or 0
    draw_mask_figure(source.read(frame), given, title=source.name(frame), path=output)
    summary = {"output": str(output), "ignored": float(1 - given.mean())}
    print(json.dumps(summary) if args.json else f"{describe_mask(given)}\npicture: {output}")
    return exits.DONE


def _proposed(given: str, ending: str) -> Path:
    """Return a name in the working folder that says what it holds: ``frames_valid.tif``."""
    plain = [part for part in Path(given).parts if not set(part) & set("*?[")]
    stem = Path(plain[-1]).stem.strip("./") if plain else ""
    return Path(f"{stem or 'frames'}_{ending}")
