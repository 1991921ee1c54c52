"""``maskreg pair A B``: where B lies on A."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Any

from maskreg.cli import exits
from maskreg.cli.flags.mask import add_mask_flags, ensure_grown, mask_from, names_common_mask
from maskreg.cli.flags.options import add_option_flags, options_from
from maskreg.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from maskreg.registration import Registration


SIDES = ("reference", "moving")
KINDS = ("valid", "ignore")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``pair``."""
    parser.add_argument("reference", metavar="A", help="the reference: an image file, or FILE[3] of a stack")
    parser.add_argument("moving", metavar="B", help="the image that is moved onto it")
    add_option_flags(parser)
    masks = add_mask_flags(parser)
    for side in SIDES:
        for kind in KINDS:
            masks.add_argument(
                f"--{side}-{kind}",
                action="append",
                default=[],
                metavar="FILE",
                help=f"like --{kind}, for the {side} image only",
            )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: Namespace) -> int:
    """Register two images and print the answer."""
    options = options_from(args)
    ensure_grown(args, *(getattr(args, f"{side}_{kind}") for side in SIDES for kind in KINDS))

    from maskreg.core.register import register
    from maskreg.series.before.reference import read_image

    images = {side: read_image(getattr(args, side)) for side in SIDES}
    masks = {side: _mask(args, side, images) for side in SIDES}
    result = register(
        images["reference"], images["moving"], masks["reference"], masks["moving"], **asdict(options)
    )
    print(json.dumps(as_dict(result), allow_nan=False) if args.json else as_text(result))
    return exits.DONE if result.ok else exits.FLAGGED


def as_dict(result: Registration) -> dict[str, Any]:
    """Return a registration as JSON has it: NaN as null, arrays as lists."""
    rival = result.rival
    return {
        "status": result.status.label,
        "ok": result.ok,
        "reason": result.reason,
        "shift_px": [_number(value) for value in result.shift],
        "sigma_px": [_number(value) for value in result.uncertainty],
        "covariance_px2": [[_number(value) for value in row] for row in result.covariance],
        "score": _number(result.score),
        "significance": _number(result.significance),
        "overlap": _number(result.overlap),
        "rival": rival and {"shift_px": [int(value) for value in rival.shift], "gap": _number(rival.gap)},
    }


def as_text(result: Registration) -> str:
    """Return a registration as lines for a person."""
    lines = [f"{result.status.label}: {result.reason}"]
    if result.status.keeps_shift:
        row, col = result.shift.round(3) + 0.0  # what is -0.000 becomes 0
        sigma_row, sigma_col = result.uncertainty
        lines += [
            f"shift of B onto A: {row:+.3f} px down (sigma {sigma_row:.3f}), "
            f"{col:+.3f} px right (sigma {sigma_col:.3f})",
            f"score {result.score:.3f}, significance {result.significance:.1f}, overlap {result.overlap:.3f}",
        ]
    if result.rival is not None and result.status.keeps_shift:
        row, col = result.rival.shift
        lines.append(f"next best: {row:+d} px, {col:+d} px, log-likelihood lower by {result.rival.gap:.1f}")
    return "\n".join(lines)


def _mask(args: Namespace, side: str, images: dict[str, NDArray[Any]]) -> NDArray[np.bool_] | None:
    """Return the mask of one image: what is said of both, and what is said of it alone."""
    shapes = [images[other].shape for other in SIDES]
    if shapes[0] != shapes[1] and names_common_mask(args):
        raise UsageError(
            f"A has shape {shapes[0]} and B {shapes[1]}: one mask cannot be for both; "
            "use --reference-valid, --reference-ignore, --moving-valid and --moving-ignore"
        )
    return mask_from(
        args,
        images[side].shape,
        lambda: images[side],
        valid=getattr(args, f"{side}_valid"),
        ignore=getattr(args, f"{side}_ignore"),
        of=getattr(args, side),
    )


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) else None
