"""Loops that are compiled once, kept beside the package, and loaded in the next process.

The compiler keeps a function's machine code together with all from which other functions could be compiled
that call it, and makes that anew when it loads one: five sixths of the time of loading. Our kernels are
called from Python alone; so what is kept is machine code, and loading hands it to the linker. What kernels
share is written into each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from llvmlite.binding.object_file import ObjectFileRef
from numba import njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.compiler import compile_result
from numba.core.compiler_lock import global_compiler_lock
from numba.core.sigutils import normalize_signature

from maskreg.core.machine.alone import alone
from maskreg.core.machine.apart import done_apart
from maskreg.core.machine.compilation import tell_of_compilation, tell_of_kernels

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
        compiled._cache = _LeanCache(function, compiled)
    return compiled


def on_compiling(act: Callable[[Any], None]) -> None:
    """Have a function called with each kernel that is to be compiled for this process, before it is."""
    _LeanCache.told.append(act)


def keep_compiled(compiled: Any, signature: str) -> None:
    """Compile a kernel in a process of its own and keep it, unless it is kept or another compiles it.

    Parameters
    ----------
    compiled : kernel
    signature : str
        The types of its arguments, in brackets, as the compiler reads them.
    """
    cache = getattr(compiled, "_cache", None)
    if isinstance(cache, _LeanCache):
        types, _ = normalize_signature(signature)
        done_apart(partial(cache.fill, types, wait=False))


def lock_file(compiled: Any, kind: str) -> Path:
    """Return the path of a file beside what is kept of a kernel, for `machine.alone`."""
    return Path(compiled._cache._cache_file._index_path).with_suffix(f".{kind}")


def load_kept(compiled: Any, of: str = "") -> None:
    """Load what is kept of a kernel for signatures that contain some text, as of an argument's type.

    What cannot be loaded is left to when it is called.
    """
    cache = getattr(compiled, "_cache", None)
    if isinstance(cache, _LeanCache):
        with suppress(Exception):  # numba promises none of this, and what it is worth is a few milliseconds
            cache.load_kept(of)


def inlined(function: Callable[..., Any]) -> Any:
    """Write a function into the kernels that call it, before these are compiled.

    A call would be inlined by the compiler when both are compiled together, and not when one comes from the
    cache: sums would then run in another order, and the same input give other bytes on a second run.
    """
    return njit(inline="always", **_OPTIONS)(function)


def called(function: Callable[..., Any]) -> Any:
    """Compile a function anew with each kernel that calls it: for what is long, and called seldom.

    To write it into a kernel would take the compiler far longer than the function itself. It is not kept by
    itself, so that it never comes from the cache.
    """
    return njit(**_OPTIONS)(function)


class _Lean(NamedTuple):
    """What is kept of a compiled function: what is needed to call it."""

    machine_code: bytes
    description: Any
    environment: Any
    signature: Any


class _LeanResult(CompileResultCacheImpl):  # type: ignore[misc]
    """Keeps machine code, and loads it."""

    def reduce(self, cres: Any) -> tuple[Any, ...]:
        """Return what is kept of a compiled function."""
        whole: tuple[Any, ...] = super().reduce(cres)
        try:
            (_, _, (machine_code, _)), description, environment, signature, *_ = whole
            _linker(cres.target_context)
        except (AttributeError, ImportError, TypeError, ValueError):
            return whole  # another version keeps it in another form: as it is, then
        return _Lean(machine_code, description, environment, signature)

    def rebuild(self, target_context: Any, payload: tuple[Any, ...]) -> Any:
        """Return a compiled function of which that was kept."""
        if isinstance(payload, _Lean):
            return _loaded(target_context, payload)
        target_context.refresh()
        return super().rebuild(target_context, payload)


class _Linker(NamedTuple):
    """What the compiler has to load machine code with; none of it is promised."""

    add: Callable[[Any], None]
    address: Callable[[str], int]
    set_environment: Callable[[str, Any], None]
    make: Callable[..., Any]


def _linker(target: Any) -> _Linker:
    """Return the linker; raises `AttributeError` or `ImportError` where a version has another."""
    from numba._dynfunc import make_function

    codegen = target.codegen()
    engine = codegen._engine._ee
    return _Linker(engine.add_object_file, engine.get_function_address, codegen.set_env, make_function)


def _loaded(target: Any, kept: _Lean) -> Any:
    """Hand machine code to the linker, and return the function in it, ready to be called."""
    machine_code, description, environment, signature = kept
    linker = _linker(target)
    linker.add(ObjectFileRef.from_data(machine_code))
    address = linker.address(description.llvm_cpython_wrapper_name)
    linker.set_environment(target.get_env_name(description), environment)
    module, name = description.lookup_module(), description.qualname.rpartition(".")[2]
    return compile_result(
        target_context=target,
        typing_context=target.typing_context,
        entry_point=linker.make(module, name, "", address, environment, ()),
        fndesc=description,
        environment=environment,
        signature=signature,
        objectmode=False,
    )


@cache
def _processor(codegen: Any) -> tuple[str, ...]:
    """Return the kind of processor for which machine code is made; to ask takes as long as to load some."""
    return tuple(codegen.magic_tuple())


class _LeanCache(FunctionCache):  # type: ignore[misc]
    """The cache of a kernel, which is filled by a process of its own, and by one at a time.

    The compiler keeps whatever it made: 250 MB once all kernels of a series have been compiled.
    """

    told: ClassVar[list[Callable[[Any], None]]] = []
    """Who is told of a kernel before it is compiled."""

    _impl_class = _LeanResult
    _apart = False

    def __init__(self, function: Callable[..., Any], compiled: Any) -> None:
        super().__init__(function)
        self._compiled = compiled

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        """Return what a kernel is kept under: its types, the processor, and a hash of what was compiled.

        The names of the types: they tell as much, and are read faster.
        """
        return str(sig), _processor(codegen), sha256(self._py_func.__code__.co_code).hexdigest()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the kernel for a signature, compiled first if need be; None if this process must do that.

        The compiler is set up only if it is needed, which takes longer than to load all kernels of a pair.
        """
        found = self._loaded(sig, target_context)
        if found is not None:
            return found
        target_context.refresh()  # here, once for all processes that compile
        if _LeanCache._apart:
            return None
        tell_of_kernels()
        for act in self.told:
            act(self._compiled)
        return self._loaded(sig, target_context) if done_apart(partial(self.fill, sig)) else None

    def _loaded(self, sig: Any, target_context: Any) -> Any:
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)

    def load_kept(self, of: str) -> None:
        """Load what is kept for the signatures that contain some text; nothing is compiled.

        On a thread of its own, beside one that computes: who needs a kernel meanwhile waits for one at most.
        The lock is held all the time, so that nothing is half done where another process is forked.
        """
        compiled, target = self._compiled, self._compiled.targetctx
        with global_compiler_lock, self._guard_against_spurious_io_errors():
            kept_under = self._index_key("", target.codegen())[1:]
            for (signature, *rest), name in self._cache_file._load_index().items():
                if tuple(rest) != kept_under or of not in signature:
                    continue
                kept = self._cache_file._load_data(name)
                if isinstance(kept, _Lean) and kept.signature.args not in compiled.overloads:
                    compiled.add_overload(self._impl.rebuild(target, kept))

    def fill(self, sig: Any, *, wait: bool = True) -> None:
        """Compile and keep the kernel in this process, unless another has, or does and this is not to wait.

        Two at a time would do all the work twice, and may keep one signature only.
        """
        _LeanCache._apart = True
        with alone(lock_file(self._compiled, "lock"), wait=wait) as mine:
            if mine:
                self._compiled.compile(sig)
