"""Which templates of a reference are kept, and that those let go are made again as they were."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from maskreg.core.plan import CHEAP_PIXELS
from maskreg.core.subpixel.templates import Templates

SMALL, LARGE = 4, 1


class Made:
    """Stands for a template: counts how often each is made, and says when its packed fields are let go."""

    times: dict[tuple[int, float | None], int]

    def __init__(self) -> None:
        self.times = {}

    def __call__(self, b: int, gaussian: float | None) -> SimpleNamespace:
        self.times[b, gaussian] = self.times.get((b, gaussian), 0) + 1
        made = SimpleNamespace(packed=True)
        made.forget = lambda: setattr(made, "packed", False)
        return made


@pytest.fixture
def templates() -> Templates:
    sizes = {LARGE: CHEAP_PIXELS + 1, SMALL: CHEAP_PIXELS}
    levels = {b: SimpleNamespace(pixels=np.empty(size, np.uint8)) for b, size in sizes.items()}
    return Templates(SimpleNamespace(level=levels.__getitem__))


def test_small_templates_and_the_large_ones_that_most_frames_need_are_made_once(templates):
    make, wanted = Made(), [(SMALL, None), (SMALL, 2.0), (SMALL, 0.8), (LARGE, None)]
    first = [templates.get(*key, make) for key in wanted]
    assert [templates.get(*key, make) for key in wanted] == first
    assert make.times == dict.fromkeys(wanted, 1)


def test_of_large_templates_that_few_frames_need_one_is_kept_and_the_others_take_less_meanwhile(templates):
    make = Made()
    best = templates.get(LARGE, None, make)
    wide, narrow = (templates.get(LARGE, width, make) for width in (5.0, 2.0))
    assert not best.packed
    assert templates.get(LARGE, 2.0, make) is narrow
    assert templates.get(LARGE, 5.0, make) is not wide
    assert templates.get(LARGE, None, make) is best
    assert make.times == {(LARGE, None): 1, (LARGE, 5.0): 2, (LARGE, 2.0): 1}


@pytest.mark.parametrize("every", [False, True])
def test_what_is_forgotten_is_made_again_for_the_frames_that_wait(templates, every):
    make = Made()
    for key in ((SMALL, 2.0), (LARGE, None), (LARGE, 5.0)):
        templates.get(*key, make)
    templates.forget(every=every)
    templates.remember(make)
    assert make.times == {(SMALL, 2.0): 1, (LARGE, None): 1 + every, (LARGE, 5.0): 1}
    templates.remember(make)  # once
    for key in ((SMALL, 2.0), (LARGE, None), (LARGE, 5.0)):
        templates.get(*key, make)
    assert make.times == {(SMALL, 2.0): 1, (LARGE, None): 1 + every, (LARGE, 5.0): 2}
