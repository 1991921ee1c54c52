"""The flags that say which pixels are ignored, and the mask they make together."""

from __future__ import annotations

import logging
import os
import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _ArgumentGroup
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from maskreg.cli.flags import values
from maskreg.errors import InputError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)


def add_mask_flags(parser: ArgumentParser, title: str = "pixels to ignore") -> _ArgumentGroup:
    """Add the flags of masks and return their group; each says what it does to the pixels it names."""
    group = parser.add_argument_group(title, "Files and shapes more than once, too; all are combined.")

    def area(flag: str, metavar: str, help: str, **more: Any) -> None:
        group.add_argument(flag, action="append", default=[], metavar=metavar, help=help, **more)

    area("--valid", "FILE", "image (TIFF, PNG, NPY) that is nonzero where pixels are valid", type=_file)
    area("--ignore", "FILE", "image that is nonzero where pixels are ignored", type=_file)
    area("--ignore-rect", "R0:R1,C0:C1", "rows R0 to R1 and columns C0 to C1", type=_shape("parse_rect"))
    area("--ignore-disk", "R,C,RADIUS", "a disk, px", type=_shape("parse_disk"))
    area("--ignore-polygon", "'R,C R,C ...'", "a polygon, by its corners", type=_shape("parse_polygon"))
    group.add_argument(
        "--ignore-above",
        type=values.number,
        metavar="N",
        help="pixels above N (of a series: in its reference)",
    )
    group.add_argument(
        "--ignore-below",
        type=values.number,
        metavar="N",
        help="pixels below N (of a series: in its reference)",
    )
    group.add_argument(
        "--grow", type=values.radius, default=0, metavar="PX", help="grow all that is ignored by so much"
    )
    return group


_NO_FILE = (
    (
        re.compile(r"[-+]?[\d.]+(e[-+]?\d+)?"),
        "pixels of a value are left out by --ignore-below or --ignore-above",
    ),
    (re.compile(r"[-\d]*:[-\d]*,[-\d]*:[-\d]*"), "a rectangle is --ignore-rect"),
    (re.compile(r"[-\d.]+,[-\d.]+,[-\d.]+"), "a disk is --ignore-disk"),
)
"""What may stand in place of the name of a mask file, and what it may mean."""


def _file(text: str) -> str:
    """Return the name of a mask file; refuse what is none, and another kind of ignored area."""
    for form, advice in _NO_FILE:
        if form.fullmatch(text) and not os.path.exists(text):  # noqa: PTH110
            raise ArgumentTypeError(f"'{text}' is no file; {advice}")
    return text


def mask_from(
    args: Namespace,
    shape: tuple[int, int],
    image: Callable[[], NDArray[Any]],
    *,
    valid: Sequence[str] = (),
    ignore: Sequence[str] = (),
    of: str = "",
) -> NDArray[np.bool_] | None:
    """Return the mask that was asked for (True = valid), or None; say how much it ignores.

    Parameters
    ----------
    args : Namespace
        With what `add_mask_flags` adds.
    shape : tuple of int
        Of the images.
    image : callable
        Returns what ``--ignore-above`` and ``--ignore-below`` look at; called only if needed.
    valid, ignore : sequence of str
        More mask files.
    of : str
        Whose mask it is, for the message.
    """
    from maskreg.masks import build_mask, describe_mask, mask_warning

    by_value = args.ignore_above is not None or args.ignore_below is not None
    mask = build_mask(
        shape,
        valid=[*args.valid, *valid],
        ignore=[*args.ignore, *ignore],
        rects=args.ignore_rect,
        disks=args.ignore_disk,
        polygons=args.ignore_polygon,
        above=args.ignore_above,
        below=args.ignore_below,
        image=image() if by_value else None,
        grow=args.grow,
    )
    prefix = f"{of}: " if of else ""
    if mask is None:
        log.info("%sno mask: every pixel counts", prefix)
    else:
        warning = mask_warning(mask)
        log.log(logging.WARNING if warning else logging.INFO, "%s%s", prefix, warning or describe_mask(mask))
    return mask


def names_common_mask(args: Namespace) -> bool:
    """Whether a mask was asked for that is tied to places, and so to one shape of image."""
    return any((args.valid, args.ignore, args.ignore_rect, args.ignore_disk, args.ignore_polygon))


def names_mask(args: Namespace) -> bool:
    """Whether any mask was asked for."""
    return names_common_mask(args) or args.ignore_above is not None or args.ignore_below is not None


def ensure_grown(args: Namespace, *more: Sequence[str]) -> None:
    """Refuse ``--grow`` where there is no mask to grow, neither a common one nor one of `more`."""
    if args.grow and not (names_mask(args) or any(more)):
        raise UsageError(
            f"--grow {args.grow:g} grows what a mask ignores, and there is no mask: "
            "give --valid FILE, --ignore FILE, --ignore-disk R,C,RADIUS ..."
        )


def _shape(parse: str) -> Callable[[str], Any]:
    """Return what checks the text of a shape at once, before anything is read."""

    def checked(text: str) -> Any:
        from maskreg.masks import shapes

        try:
            return getattr(shapes, parse)(text)
        except InputError as error:
            raise ArgumentTypeError(str(error)) from None

    return checked
