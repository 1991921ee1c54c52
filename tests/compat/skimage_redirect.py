"""A pytest plugin: scikit-image's own tests meet our functions under scikit-image's names.

``python -m pytest -p skimage_redirect FOLDER``, with this folder on the path.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from skimage import registration
from skimage.data import _fetchers

from maskreg.compat import skimage as ours


def masked_shift(
    reference: Any, moving: Any, reference_mask: Any, moving_mask: Any = None, overlap_ratio: float = 0.3
) -> Any:
    """The masked branch, which the tests call by a private name."""
    return ours.phase_cross_correlation(
        reference,
        moving,
        reference_mask=reference_mask,
        moving_mask=moving_mask,
        overlap_ratio=overlap_ratio,
    )[0]


phase = import_module("skimage.registration._phase_cross_correlation")
masked = import_module("skimage.registration._masked_phase_cross_correlation")
registration.phase_cross_correlation = ours.phase_cross_correlation
phase.phase_cross_correlation = ours.phase_cross_correlation
masked._masked_phase_cross_correlation = masked_shift
masked.cross_correlate_masked = ours.cross_correlate_masked

_fetch = _fetchers._fetch
_absent: set[str] = set()


def _fetch_or_skip(name: str, **options: Any) -> Any:
    try:
        if name not in _absent:
            return _fetch(name, **options)
    except (Exception, pytest.skip.Exception):  # pytest's skip, too: what cannot be had is asked for once
        _absent.add(name)
    pytest.skip(f"{name} has to be downloaded")


_fetchers._fetch = _fetch_or_skip


def pytest_runtest_call(item: Any) -> None:
    used = item.module.__dict__.get("phase_cross_correlation", ours.phase_cross_correlation)
    assert used is ours.phase_cross_correlation
