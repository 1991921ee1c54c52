"""What to say to who types a word that is not known: a slip, or the word of another program.

Options keep one name each. Who comes from scikit-image, scikit-ued, hyperspy or ImageJ is told the name here.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

_CLOSE = 0.7
"""How alike a slip and the word that was meant are (difflib's ratio): mask and dask are not to be it."""

_BY_WHAT_IT_DOES = (
    "a mask is named by what it does: --valid FILE (nonzero = valid) or --ignore FILE (nonzero = ignored)"
)

_OPTIONS = (
    (
        "reference-mask moving-mask target-mask fixed-mask",
        "--reference-valid",
        "masks are named by what they do: --reference-valid or --reference-ignore, "
        "--moving-valid or --moving-ignore, or for both images --valid or --ignore",
    ),
    (
        "mask masks mask-file masked valid-mask reference-mask moving-mask invalid invalid-mask ignore-mask "
        "bad-pixels dead-pixels invert invert-mask inverted roi crop",
        "--valid",
        _BY_WHAT_IT_DOES,
    ),
    (
        "beam-block beamblock beam-stop beamstop exclude",
        "--ignore-disk",
        "what is not to count is given by --ignore FILE, --ignore-disk, --ignore-rect or --ignore-polygon",
    ),
    (
        "hot-pixels hot-pixel saturation saturated threshold nodata no-data ignore-value",
        "--ignore-above",
        "--ignore-above and --ignore-below leave out pixels by their value",
    ),
    ("nan ignore-nan nan-mask", "--ignore-above", "pixels that are NaN are always ignored"),
    ("overlap overlap-ratio overlap-threshold", "--min-overlap", "did you mean --min-overlap?"),
    (
        "upsample-factor upsampling subpixel sub-pixel subpixel-factor sub-pixel-factor",
        "--max-shift",
        "shifts are always found to a fraction of a pixel",
    ),
    (
        "hanning hann window normalization normalisation normalize medfilter",
        "--max-shift",
        "none is needed: masked NCC takes no window, and does not depend on brightness or contrast",
    ),
    (
        "threads jobs n-jobs j cpus cores processes n-workers num-workers",
        "--workers",
        "did you mean --workers?",
    ),
    (
        "resume continue restart",
        "--overwrite",
        "the same command goes on where it was; --overwrite starts anew",
    ),
    ("force f clobber replace", "--overwrite", "did you mean --overwrite?"),
    ("template fixed target ref-frame mean average", "--reference", "did you mean --reference?"),
    ("silent s", "--quiet", "did you mean --quiet?"),
    (
        "o output out apply save-aligned",
        "--moving-valid",
        "pair writes no image: maskreg align A B -o RUN --reference A, then maskreg apply RUN -o OUT; "
        "or maskreg.shift_image in Python",
    ),
    (
        "interpolation interp spline",
        "--order",
        "did you mean --order (5, 3 or 1), or --whole-pixel?",
    ),
    ("format driver", "--order", "the suffix of -o says it: OUT.zarr, OUT.h5 or OUT.tif"),
    (
        "apply save-aligned",
        "--repair",
        "maskreg apply RUN -o OUT writes the aligned frames of a run, maskreg merge RUN -o OUT their mean",
    ),
)
"""Words, an option that a verb must have for the advice to be of use, and the advice."""

_VERBS = (
    ("register registration", "did you mean pair, for two images, or align, for a series?"),
    ("average mean sum stack", "did you mean merge?"),
    ("plot show gui app open", "did you mean view?"),
    ("shift transform warp write save", "did you mean apply?"),
    ("csv json table convert", "did you mean export?"),
    ("version", "did you mean --version?"),
    ("help", "did you mean --help, or VERB --help?"),
)


def about_option(option: str, known: Collection[str]) -> str:
    """Return what to say of an option that a verb does not have; nothing, or a clause with its semicolon.

    Parameters
    ----------
    option : str
        As it was typed.
    known : collection of str
        The options of the verb, such as ``--valid``.
    """
    word = _plain(option)
    for words, needed, advice in _OPTIONS:
        if word in words.split() and needed in known:
            return f"; {advice}"
    names = {_plain(name): name for name in known}
    meant = _meant(word, names)
    return f"; did you mean {names[meant]}?" if meant else ""


def about_verb(verb: str, known: Iterable[str]) -> str:
    """Return what to say of a verb that there is not; nothing, or a clause with its semicolon."""
    for words, advice in _VERBS:
        if verb in words.split():
            return f"; {advice}"
    meant = _meant(verb, list(known))
    if meant:
        return f"; did you mean {meant}?"
    # unlike Path.exists, this one takes whatever was typed
    return f"; did you mean maskreg align {verb} -o RUN?" if os.path.exists(verb) else ""  # noqa: PTH110


def _plain(option: str) -> str:
    return option.lstrip("-").lower().replace("_", "-")


def _meant(word: str, known: Collection[str]) -> str | None:
    """Return the one of the same parts, else one that begins as the other does, else the most alike."""
    from difflib import get_close_matches

    parts = sorted(word.split("-"))
    for name in known:
        if sorted(name.split("-")) == parts:  # valid-moving for moving-valid
            return name
    if len(word) > 2:
        begun = [name for name in known if name.startswith(word) or word.startswith(f"{name}-")]
        if begun:
            return min(begun, key=len)
    close = get_close_matches(word, known, n=1, cutoff=_CLOSE)
    return close[0] if close else None
