"""``maskreg doctor``: what it runs on, what is missing, and the command that adds it."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from argparse import ArgumentParser, Namespace
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import maskreg
from maskreg._version import __version__
from maskreg.cli import exits
from maskreg.cores import available_cores

USED_BY = {
    "app": "the command line's main job",
    "formats": "more file formats",
    "gpl": "DM3, DM4, EMD, SER and TVIPS, by RosettaSciIO (GPL)",
    "dask": "clusters",
    "plot": "figures",
}
"""The extras that change what the program can do; those for developers are left out."""

_UNKNOWN = "unknown, since maskreg is not installed: python -m pip install -e . in its source tree"

_REQUIREMENT = re.compile(
    r"([\w.-]+)(?:\[[^]]*\])?[^;]*?(?:>=\s*([\d.]+))?[^;]*?(?:;.*extra\s*==\s*.([\w-]+).)?$"
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``doctor``."""
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(args: Namespace) -> int:
    """Print how things are; the exit code is 1 if a package that is always needed is missing."""
    facts = diagnosis()
    print(json.dumps(facts) if args.json else "\n".join(_told(facts)))
    return exits.FAILED if facts["missing"] else exits.DONE


def diagnosis() -> dict[str, Any]:
    """Return what there is to know, ready for JSON."""
    needed = _requirements()
    found = {name: _installed(name) for name, _, _ in needed}
    lacking = [(name, least, extra) for name, least, extra in needed if not _new_enough(found[name], least)]
    return {
        "maskreg": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": available_cores(),
        "packages": {name: found[name] for name, _, extra in needed if not extra},
        "missing": [_named(name, least) for name, least, extra in lacking if not extra],
        "extras": {
            extra: {
                "for": purpose,
                # None: nothing is known of what it needs
                "missing": [_named(name, least) for name, least, of in lacking if of == extra]
                if needed
                else None,
                "add": f'{sys.executable} -m pip install "maskreg[{extra}]"',
            }
            for extra, purpose in USED_BY.items()
        },
        "kernels": _kernels(),
    }


def _requirements() -> list[tuple[str, str, str]]:
    """Return name, least version and extra ('' = always needed) of what maskreg needs."""
    try:
        lines = requires("maskreg") or []
    except PackageNotFoundError:  # run from a source tree that is not installed
        lines = []
    matches = [match for line in lines if (match := _REQUIREMENT.match(line.strip()))]
    return [(m[1], m[2] or "", m[3] or "") for m in matches]


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _new_enough(found: str | None, least: str) -> bool:
    return found is not None and _release(found) >= _release(least)


def _release(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text.split("+")[0]))


def _named(name: str, least: str) -> str:
    return f"{name}>={least}" if least else name


def _kernels() -> str:
    """Say whether the compiled loops are kept, in which case starting costs nothing."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(named) if named else Path(maskreg.__file__).parent  # in whose folders they are
    kept = sum(1 for _ in folder.rglob("*.nbi")) if folder.is_dir() else 0
    if kept:
        return f"{kept} compiled and kept"
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    if os.access(existing, os.W_OK):
        return "not compiled yet; the first registration takes some seconds longer"
    return "not kept beside the package, where nothing can be written; NUMBA_CACHE_DIR may name a folder"


def _told(facts: dict[str, Any]) -> list[str]:
    lines = [
        f"maskreg {facts['maskreg']}, Python {facts['python']}, {facts['platform']}",
        f"cores: {facts['cores']}",
        "packages: " + (", ".join(f"{k} {v or 'MISSING'}" for k, v in facts["packages"].items()) or _UNKNOWN),
        f"kernels: {facts['kernels']}",
    ]
    if facts["missing"]:
        names = " ".join(f'"{name}"' for name in facts["missing"])
        lines.append(f"always needed, and missing or too old: {sys.executable} -m pip install {names}")
    for extra, state in facts["extras"].items():
        head = f"[{extra}], {state['for']}: "
        if state["missing"] is None:
            lines.append(f"{head}unknown")
        elif state["missing"]:
            lines += [f"{head}missing or too old are {', '.join(state['missing'])}", f"    {state['add']}"]
        else:
            lines.append(f"{head}complete")
    return lines
