"""Loops that are compiled once, kept beside the package, and loaded in the next process.

The compiler keeps a function's machine code together with the intermediate code from which other functions
could be compiled that call it. To read that takes two thirds of the time of loading, and our kernels are
called from Python alone; so it is left out. What kernels share is written into each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding
from numba import njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache

from maskreg.core.compilation import tell_of_compilation

tell_of_compilation()

# reassociation lets a row's sum run in vector lanes; NaN and infinity keep their meaning
_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "boundscheck": False,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "nsz", "arcp"},
}


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called, for each type of its arguments, and keep that.

    It releases the interpreter's lock. No compiled function may call it.
    """
    compiled = njit(cache=True, **_OPTIONS)(function)
    if type(getattr(compiled, "_cache", None)) is FunctionCache:  # not where the compiler is switched off
        compiled._cache = _LeanCache(function)
    return compiled


def inlined(function: Callable[..., Any]) -> Any:
    """Write a function into the kernels that call it, before these are compiled.

    A call would be inlined by the compiler when both are compiled together, and not when one comes from the
    cache: sums would then run in another order, and the same input give other bytes on a second run.
    """
    return njit(inline="always", **_OPTIONS)(function)


class _LeanResult(CompileResultCacheImpl):  # type: ignore[misc]
    """Keeps of a compiled function what is needed to call it."""

    def reduce(self, cres: Any) -> tuple[Any, ...]:
        """Return what is kept: as the compiler does, but for code that only other functions need."""
        whole: tuple[Any, ...] = super().reduce(cres)
        try:
            return _lean(whole)
        except (AttributeError, TypeError, ValueError):
            return whole  # another version keeps it in another form: as it is, then


def _lean(whole: tuple[Any, ...]) -> tuple[Any, ...]:
    library, description, environment, signature, object_mode, lifted, _, *rest = whole
    name, kind, (machine_code, _) = library
    # what is declared here tells the compiler that the machine code has it
    declared = f'define void @"{description.llvm_cpython_wrapper_name}"() {{ ret void }}'
    needed = llvmlite.binding.parse_assembly(declared).as_bitcode()
    lean = name, kind, (machine_code, needed)
    return lean, description, environment, signature, object_mode, lifted, "", *rest


class _LeanCache(FunctionCache):  # type: ignore[misc]
    """The cache of a kernel."""

    _impl_class = _LeanResult
