"""When a file may be read, decided without a file: a night of acquisition in a millisecond."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from maskreg.series.watch.arrivals import Arrivals, Stamp, comes_before, in_order

A, B = Stamp(10, 1), Stamp(20, 2)


def test_a_file_is_ready_once_it_has_not_changed_for_a_while():
    arrivals = Arrivals(settle=2)
    arrivals.listed({"f.tif": A}, now=0)
    assert arrivals.ready() == []
    assert arrivals.settling() == ["f.tif"]
    arrivals.listed({"f.tif": B}, now=1.9)
    arrivals.listed({"f.tif": B}, now=3.8)
    assert arrivals.ready() == []
    arrivals.listed({"f.tif": B}, now=3.9)
    assert arrivals.ready() == ["f.tif"]
    assert arrivals.take("f.tif") == B
    assert arrivals.ready() == arrivals.settling() == []
    assert arrivals.last_change == 1.9


def test_a_file_that_was_closed_is_ready_at_once_unless_it_changes_again():
    arrivals = Arrivals(settle=60)
    arrivals.closed("f.tif", A, now=0)
    assert arrivals.ready() == ["f.tif"]
    arrivals.listed({"f.tif": B}, now=1)
    assert arrivals.ready() == []
    arrivals.closed("f.tif", B, now=1)
    assert arrivals.ready() == ["f.tif"]


def test_a_file_that_changes_after_it_was_read_is_read_again():
    arrivals = Arrivals(settle=0)
    arrivals.listed({"f.tif": A}, now=0)
    arrivals.take("f.tif")
    arrivals.listed({"f.tif": A}, now=1)
    assert arrivals.ready() == []
    arrivals.listed({"f.tif": B}, now=2)
    assert arrivals.ready() == ["f.tif"]


def test_what_is_in_the_record_is_not_read_again_unless_it_differs():
    arrivals = Arrivals(settle=0)
    arrivals.listed({"a.tif": A, "b.tif": B}, now=0)
    arrivals.take("b.tif")
    arrivals.resume({"a.tif": A, "c.tif": A, "d.tif": None})
    arrivals.listed({"a.tif": A, "b.tif": B, "c.tif": B, "d.tif": B}, now=1)
    # b was looked at, but is not in the record; c has changed since
    assert arrivals.ready() == ["b.tif", "c.tif"]


def test_a_file_that_is_gone_is_forgotten():
    arrivals = Arrivals(settle=0)
    arrivals.listed({"f.tif.part": A}, now=0)
    arrivals.listed({}, now=1)
    assert arrivals.ready() == []
    assert arrivals.first() is None


def test_files_come_by_order_of_their_names_however_they_arrived():
    arrivals = Arrivals(settle=0)
    for time, name in enumerate(("f10.tif", "f9.tif", "f1.tif")):
        arrivals.closed(name, A, now=time)
    assert arrivals.ready() == in_order(["f9.tif", "f10.tif", "f1.tif"]) == ["f1.tif", "f9.tif", "f10.tif"]
    assert arrivals.first() == "f1.tif"
    assert comes_before("f9.tif", "f10.tif")


class Acquisition(RuleBasedStateMachine):
    """Writers that pause, close and come back; a watch that is restarted; nothing half-written is final."""

    NAMES = st.sampled_from(["f1.tif", "f2.tif", "f10.tif"])
    SETTLE = 2.0

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.writes = 0
        self.disk: dict[str, Stamp] = {}
        self.changed: dict[str, float] = {}
        self.record: dict[str, Stamp] = {}
        self.arrivals = Arrivals(self.SETTLE)

    @rule(name=NAMES)
    def write(self, name):
        """Write some more of a file."""
        size = self.disk[name].size + 1 if name in self.disk else 1
        self.writes += 1  # no two writes have one time, as on a disk that counts in ns
        self.disk[name] = Stamp(size, self.writes)
        self.changed[name] = self.now

    @rule(name=NAMES)
    def close(self, name):
        if name in self.disk:
            self.arrivals.closed(name, self.disk[name], self.now)
            self.changed[name] = float("-inf")

    @rule(name=NAMES)
    def remove(self, name):
        self.disk.pop(name, None)

    @rule(seconds=st.sampled_from([0.1, 1.0, 3.0]))
    def wait_and_list(self, seconds):
        self.now += seconds
        self.arrivals.listed(self.disk, self.now)

    @rule(lost=st.booleans())
    def read(self, lost):
        """Register what is ready; the record may be behind what was taken when the process is killed."""
        for name in self.arrivals.ready():
            stamp = self.arrivals.take(name)
            if name in self.disk and self.disk[name] == stamp:
                # neither closed nor quiet for long enough: too early
                assert self.now - self.changed[name] >= self.SETTLE - 1e-9
            if not lost:
                self.record[name] = stamp
        if lost:
            self.restart()

    @rule()
    def restart(self):
        self.arrivals = Arrivals(self.SETTLE)
        self.arrivals.listed(self.disk, self.now)
        self.arrivals.resume(self.record)

    @invariant()
    def in_the_end_everything_is_read_as_it_is(self):
        """Let time go by on a copy: afterwards the record has every file as it is on the disk."""
        copy = Arrivals(self.SETTLE)
        copy.resume(self.record)
        final = dict(self.record)
        for step in range(3):
            copy.listed(self.disk, self.now + 3 * step)
            final |= {name: copy.take(name) for name in copy.ready()}
        assert copy.settling() == []
        assert {name: final[name] for name in self.disk} == self.disk


TestAcquisition = Acquisition.TestCase
TestAcquisition.settings = settings(max_examples=80, stateful_step_count=30, deadline=None, derandomize=True)
