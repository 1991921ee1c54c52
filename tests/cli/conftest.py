"""A small scan on the disk, and the command line as a function."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from maskreg.cli import main
from maskreg.testing.chromium import ChromiumScan


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def maskreg(capsys):
    """Run the command line in this process and return exit code, stdout and stderr."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def scan():
    return ChromiumScan((192, 192), scans=2, delays=(0.0, 1.0, 2.0))


@pytest.fixture
def data(scan, tmp_path):
    """A folder with ``frames/``, ``valid_mask.tif`` and ``truth_shifts.csv``."""
    scan.write(tmp_path)
    return tmp_path
