"""Set the compiler's run time up, and say so when kernels are compiled, once after each installation."""

from __future__ import annotations

import logging
from typing import Any

from numba.core import entrypoints, event
from numba.core.registry import cpu_target
from numba.core.runtime import rtsys

log = logging.getLogger(__name__)

COMPILES = "numba:compile"
"""The compiler's name for a compilation; what is loaded from the cache is none."""


class _Teller(event.Listener):  # type: ignore[misc]
    """Tells of the first compilation of one of our kernels."""

    def __init__(self) -> None:
        self._told = False

    def on_start(self, event: Any) -> None:
        dispatcher = (event.data or {}).get("dispatcher")
        module = getattr(getattr(dispatcher, "py_func", None), "__module__", "")
        if module.startswith("maskreg."):
            self.tell()

    def tell(self) -> None:
        """Tell of it, once."""
        if not self._told:
            self._told = True
            log.info("compiling the kernels (once, a minute or two)")

    def on_end(self, event: Any) -> None:
        """Say nothing: the frames that follow show that it is over."""


_teller: _Teller | None = None


def tell_of_compilation() -> None:
    """Log a line when the first kernel is compiled in this process, and none if all are in the cache.

    Also let the compiler's run time be there, which machine code from the cache calls, and its extensions,
    for which it would look when the first kernel is called; the compiler itself is set up when it is needed.
    """
    global _teller
    if _teller is None:
        _teller = _Teller()
        event.register(COMPILES, _teller)
        rtsys.initialize(cpu_target.target_context)
        entrypoints.init_all()


def tell_of_kernels() -> None:
    """Log that line before a kernel is compiled by another process."""
    if _teller is not None:
        _teller.tell()
