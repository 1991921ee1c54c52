"""Values of flags, from text; each says what it should look like."""

from __future__ import annotations

from argparse import ArgumentTypeError

from maskreg.cores import available_cores, most_workers


def max_shift(text: str) -> float | tuple[float, ...]:
    """Return ``20`` or ``20,30`` as a number or one per axis."""
    numbers = _numbers(text, "one number of px, or one per axis, such as 20 or 20,30")
    return numbers[0] if len(numbers) == 1 else numbers


def number(text: str, wanted: str = "a number") -> float:
    """Return a number."""
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not {wanted}") from None


def smoothing(text: str) -> float | str:
    """Return ``auto`` or a width in px."""
    return text if text == "auto" else _numbers(text, "auto, or a width in px")[0]


def workers(text: str) -> int:
    """Return a positive whole number."""
    if not text.isdecimal() or not text.strip("0"):
        raise ArgumentTypeError(f"{text!r} is not a number of workers, one or more")
    if len(text) > 9 or int(text) > most_workers():
        raise ArgumentTypeError(
            f"{text!r} is too many workers, at most {most_workers()} ({available_cores()} cores are there; "
            "leave --workers out to use all of them)"
        )
    return int(text)


def cluster(text: str) -> str:
    """Return where a Dask cluster is."""
    from maskreg.stream.connect import is_place

    if not is_place(text):
        raise ArgumentTypeError(f"{text!r} is not tcp://HOST:PORT, local:N or a scheduler file (.json)")
    return text


def megabytes(text: str) -> float:
    """Return a positive number."""
    wanted = "a number of MB, such as 1000"
    value = number(text, wanted)
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not {wanted}")
    return value


def radius(text: str) -> float:
    """Return a number of px, zero or more."""
    return _zero_or_more(text, "a number of px, zero or more")


def seconds(text: str) -> float:
    """Return a time in s, zero or more."""
    return _zero_or_more(text, "a number of seconds, such as 30")


def _zero_or_more(text: str, wanted: str) -> float:
    """Return a finite number that is not negative."""
    value = number(text, wanted)
    if not 0 <= value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not {wanted}")
    return value


def minutes(text: str) -> float:
    """Return a time that is given in minutes, in s."""
    return 60 * _zero_or_more(text, "a number of minutes, such as 15")


def port(text: str) -> int:
    """Return the number of a port, 0 for any that is free."""
    if not text.isdecimal() or len(text) > 5 or int(text) > 65535:
        raise ArgumentTypeError(f"{text!r} is no port, 1 to 65535 (0: any that is free)")
    return int(text)


def reference(text: str) -> int | str:
    """Return an index as a number; ``first`` and file names stay text."""
    try:
        return int(text)
    except ValueError:
        return text


def _numbers(text: str, wanted: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not {wanted}") from None
