"""Optional packages: imported where they are used, and named with their extra where they are missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from maskreg.errors import MissingExtraError


def optional_package(module: str, *, package: str, extra: str, purpose: str) -> Any:
    """Return an imported module, or say which extra brings it.

    Parameters
    ----------
    module : str
        Its name in Python.
    package : str
        What it is called when it is installed.
    extra : str
        The extra of maskreg that brings it.
    purpose : str
        What it is needed for: the beginning of the message, such as ``reading scan.h5``.

    Raises
    ------
    MissingExtraError
        When it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f'{purpose} needs {package}: python -m pip install "maskreg[{extra}]" ({error})'
        ) from error
