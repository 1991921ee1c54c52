"""What is left to do, decided without a file: over sequences of sittings, growth and mishaps."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from maskreg.errors import RunError
from maskreg.registration import Status
from maskreg.series.run_folder.resume import ensure_same_series, what_is_missing, with_lost

NAMES = st.integers(0, 30).map("f{}".format)


def test_a_new_run_has_everything_to_do_and_a_complete_one_nothing():
    assert what_is_missing(["a", "b"], {}) == [0, 1]
    assert what_is_missing(["a", "b"], {"a": Status.REFERENCE, "b": Status.WEAK}) == []


def test_what_could_not_be_read_is_tried_again_and_what_is_new_is_done():
    done = {"a": Status.OK, "c": Status.UNREADABLE, "d": Status.BAD_SHAPE}
    assert what_is_missing(["a", "b", "c", "d", "e"], done) == [1, 2, 4]


def test_an_input_without_any_frame_of_the_run_is_another_series():
    ensure_same_series(["a"], {})
    ensure_same_series(["a", "c"], {"a": Status.OK, "b": Status.OK})
    with pytest.raises(RunError, match=r"none is in the input \(b and 1 more\)"):
        ensure_same_series(["a"], {"b": Status.OK, "c": Status.OK})


@given(st.lists(NAMES, unique=True), st.sets(NAMES), st.sets(NAMES))
def test_frames_that_are_gone_keep_their_place(series, gone, new):
    """Behind the same frame as before; of those that are there none changes its place."""
    now = [name for name in sorted({*series, *new}) if name not in gone or name not in series]
    done = sorted(series)
    names = with_lost(now, done)
    assert [name for name in names if name in now] == now
    assert [name for name in names if name in done] == done
    assert len(names) == len(set(names)) == len({*now, *done})


class Sittings(RuleBasedStateMachine):
    """A run is interrupted and killed, its input grows and has broken frames; good frames are done once."""

    @initialize(names=st.sets(NAMES, min_size=1))
    def begin(self, names):
        self.input = set(names)
        self.broken: set[str] = set()
        self.committed: dict[str, Status] = {}
        self.computed: list[str] = []

    @rule(names=st.sets(NAMES, max_size=5))
    def grow(self, names):
        self.input |= names

    @rule(data=st.data())
    def break_one(self, data):
        name = data.draw(st.sampled_from(sorted(self.input)))
        if name not in self.committed:
            self.broken.add(name)

    @rule()
    def mend_all(self):
        self.broken.clear()

    @rule(frames=st.integers(0, 12), lost=st.integers(0, 3))
    def sit(self, frames, lost):
        """Register some frames; the last few are lost by a kill."""
        series = sorted(self.input)
        todo = [series[place] for place in what_is_missing(series, self.committed)][:frames]
        kept = todo[: max(0, len(todo) - lost)]
        for name in kept:
            broken = name in self.broken
            self.committed[name] = Status.UNREADABLE if broken else Status.OK
            if not broken:
                self.computed.append(name)

    @invariant()
    def nothing_is_kept_twice_or_forgotten(self):
        if not hasattr(self, "input"):
            return
        assert len(self.computed) == len(set(self.computed))
        series = sorted(self.input)
        todo = {series[place] for place in what_is_missing(series, self.committed)}
        assert todo == self.input - set(self.computed)


TestSittings = Sittings.TestCase
TestSittings.settings = settings(max_examples=60, stateful_step_count=25, deadline=None, derandomize=True)
