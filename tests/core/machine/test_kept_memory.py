"""Freed memory is kept for the next work arrays."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="tells GNU's allocator")

CALL = """
import resource
import numpy as np
from maskreg.core.machine.memory import GREATEST, _gnu, keep_freed_memory
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
before = faults()
keep_freed_memory()
told = faults() - before
np.ones(GREATEST // 2, np.uint8)
before = faults()
np.ones(GREATEST // 2, np.uint8)
print(_gnu() is not None, told, faults() - before)
"""


def test_it_costs_nothing_to_say_so_and_the_next_array_is_made_of_the_pages_of_the_last():
    found = subprocess.run([sys.executable, "-c", CALL], capture_output=True, text=True, check=True)
    gnu, told, again = found.stdout.split()
    if gnu == "False":
        pytest.skip("another allocator does as it likes")
    assert int(told) < 100
    assert int(again) < 100  # 4096 pages without it
