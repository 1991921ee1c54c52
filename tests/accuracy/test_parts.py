"""The parts around the measure: what they feed to it, and where its tables go."""

import numpy as np
import pytest
from benchmarks.accuracy.laboratory import Verdict, situations, wander
from benchmarks.accuracy.page import fill
from benchmarks.accuracy.report import Report
from benchmarks.accuracy.thinning import Frame, thinned_outcomes


@pytest.mark.parametrize("situation", situations(), ids=lambda situation: situation.name)
def test_every_situation_gives_frames_that_a_camera_could_write(situation, rng):
    frames, masks = situation.record([(0.0, 0.0), situation.drifts[1]], rng)
    assert frames.dtype == np.uint16
    assert frames.shape == masks.shape == (2, *situation.mask.shape)
    assert not np.array_equal(frames[0][masks[0]], frames[1][masks[0]])
    assert 0.6 < masks.mean() < 0.97
    assert (np.diag(situation.bound(situation.drifts[1])) < 0.05**2).all()


def test_a_series_starts_where_its_reference_is(rng):
    drifts = wander(24, rng)
    np.testing.assert_array_equal(drifts[0], 0.0)
    assert np.abs(drifts).max() <= 20


def test_a_bias_is_kept_within_a_sigma_unless_chance_explains_it():
    verdict = {"frames": 40, "rmse": 1.0, "z": 1.0, "bias_error": 0.1, "flagged": 0.0}
    assert Verdict(bias=1.1, **verdict).kept
    assert not Verdict(bias=1.3, **verdict).kept
    assert not Verdict(bias=float("nan"), **verdict).kept
    assert not Verdict(bias=0.0, **(verdict | {"flagged": 0.1})).kept


def test_thinned_counts_have_the_shift_of_their_windows(rng):
    y, x = np.mgrid[:720, :720] - 360.0
    rings = sum(np.exp(-0.5 * ((np.hypot(y, x) - r) / 4) ** 2) for r in (60, 110, 190, 260))
    counts = rng.poisson(1 + 20 * rings)
    frames = [Frame("rings", counts, np.ones(counts.shape, bool))]
    found = thinned_outcomes(frames, 0.5, 3)
    assert found.ok.all()
    assert np.abs(found.error).max() < 0.1
    assert len(np.unique(found.shift % 1)) == 2  # whole and half pixels


def test_a_table_replaces_the_one_before_and_nothing_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- table: one -->\nold\n<!-- end -->\nbelow\n")
    fill(page, "one", ["a", "b"], [["1", "2"]], "how")
    fill(page, "one", ["a", "b"], [["3", "4"]], "how")
    text = page.read_text()
    assert text.startswith("above\n<!-- table: one -->\n\n| a | b |\n| --- | ---: |\n| 3 | 4 |\n\nhow\n")
    assert text.endswith("<!-- end -->\nbelow\n")
    assert "old" not in text and "| 1 |" not in text
    with pytest.raises(ValueError, match="no place for a table of the name two"):
        fill(page, "two", ["a"], [], "how")


def test_what_exceeds_a_limit_is_marked_and_remembered(tmp_path, capsys):
    report = Report(tmp_path / "out")
    assert report.limit("fine", 1.0, 1.1, 0.9) == ""
    assert report.limit("worse", 1.2, 1.1) == report.limit("nothing", float("nan"), 1.1) == "!"
    assert [line.split(" is ")[0] for line in report.exceeded] == ["worse", "nothing"]
    report.table("one", ["a", "b"], [["1", "2"]])
    assert (tmp_path / "out" / "one.csv").read_text() == "a,b\n1,2\n"
    assert "a  b" in capsys.readouterr().out
