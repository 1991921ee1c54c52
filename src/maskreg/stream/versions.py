"""What decides the bytes of a result: versions of packages, maskreg's own code, the kind of processor."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib import import_module
from pathlib import Path

from maskreg._version import __version__

PACKAGES = ("numpy", "scipy", "numba", "tifffile")
"""Those that compute or read; others may differ."""


def versions() -> dict[str, str]:
    """Return the version of everything that computes here, by name; Python without its last number."""
    python = ".".join(platform.python_version_tuple()[:2])
    found = {name: str(import_module(name).__version__) for name in PACKAGES}
    return {"maskreg": f"{__version__} ({_code()})", "python": python, **found}


def difference(theirs: dict[str, str], ours: dict[str, str]) -> str | None:
    """Return which versions differ, both shown; None when none does."""
    differ = [name for name in ours if theirs.get(name) != ours[name]]
    if not differ:
        return None
    there = ", ".join(f"{name} {theirs.get(name, 'is missing')}" for name in differ)
    here = ", ".join(f"{name} {ours[name]}" for name in differ)
    return f"it has {there}; here it is {here}"


def processor() -> str:
    """Return the kind of this processor: for two of one kind the same instructions are compiled."""
    from llvmlite import binding

    features = binding.get_host_cpu_features().flatten()
    digest = hashlib.sha256(features.encode()).hexdigest()[:6]
    return f"{platform.machine()} {binding.get_host_cpu_name()} ({digest})"


@cache
def _code() -> str:
    """Return a fingerprint of the package's own code: two checkouts may have one version."""
    folder = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(file.relative_to(folder).as_posix().encode())
        digest.update(file.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:8]
