"""What the allocator does with memory that is freed."""

from __future__ import annotations

import numpy as np

KEPT = 2**25 - 2**13
"""Bytes; just under the greatest block for which GNU's allocator raises its threshold (32 MB on 64 bits)."""


def keep_freed_memory() -> None:
    """Let the allocator keep some freed memory, so that work arrays of transforms are not made of new pages.

    GNU's allocator gives freed memory back to the system beyond a threshold that follows the largest block
    that was ever freed (mallopt(3), M_MMAP_THRESHOLD: at most 32 MB, and twice that is kept). With the low
    threshold of a young process each work array is made of new pages, which takes twice as long as the
    transform that fills it. The block is never touched, so it costs nothing; other allocators do not care.
    """
    np.empty(KEPT, np.uint8)
