"""OME-TIFF: which pages are the image that is meant, and whether all of it is in this file."""

from __future__ import annotations

import re
from array import array
from typing import Any, NamedTuple

from maskreg.frames.navigation import about_channels, why_none_chosen


class OmeImage(NamedTuple):
    """One image of an OME-TIFF file.

    Attributes
    ----------
    directories : array of int
        Where its pages are in the file, in the order that the OME metadata give them.
    others : int
        How many other files belong to the same set.
    channels : str
        What to say of its channels; empty if it has no more than one.
    """

    directories: array[int]
    others: int
    channels: str


def ome_image(tif: Any, inside: str, file: str) -> OmeImage:
    """Return the image whose number is `inside`, or the only one.

    Parameters
    ----------
    tif : tifffile.TiffFile
        Opened so that it leaves the other files of a set alone.
    inside : str
        What the user wrote behind ``::``.
    file : str
        Its name, for messages.
    """
    images = {str(number): image for number, image in enumerate(tif.series)}
    if inside and inside not in images:
        raise ValueError(f"'::{inside}' is none of its images, 0 to {len(images) - 1}")
    if not inside and len(images) > 1:
        facts = {number: (image.shape, image.dtype) for number, image in images.items()}
        raise ValueError(why_none_chosen(facts, "images", file))
    image = images[inside or "0"]
    pages = image.pages
    others = set(re.findall(r'<UUID FileName="([^"]+)"', tif.ome_metadata or "")) - {file}
    return OmeImage(
        array("Q", (page.offset for page in pages if page is not None)),
        len(others),
        about_channels(image.axes, image.shape),
    )
