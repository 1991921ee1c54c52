"""Whether loops run without numba's compiler, a hundred times slower, as `test_uncompiled` has it."""

from __future__ import annotations

import os

WITHOUT_COMPILER = os.environ.get("NUMBA_DISABLE_JIT") == "1"
