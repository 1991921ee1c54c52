"""OME-TIFF: which pages are the image that is meant, and whether all of it is in this file."""

from __future__ import annotations

import re
from array import array
from typing import Any, NamedTuple

from maskreg.frames.navigation import why_none_chosen


class OmeImage(NamedTuple):
    """One image of an OME-TIFF file.

    Attributes
    ----------
    directories : array of int
        Where its pages are in the file, in the order that the OME metadata give them.
    elsewhere : int
        How many of its planes are in other files.
    axes : str
        As OME calls them, the last running fastest: ``TCYX``.
    """

    directories: array[int]
    elsewhere: int
    axes: str


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
    here = array("Q", (page.offset for page in image.pages if page is not None))
    return OmeImage(here, len(image.pages) - len(here), re.sub("[^A-Z]", "", image.axes))
