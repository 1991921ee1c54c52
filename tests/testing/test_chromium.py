import numpy as np
import pytest
import tifffile

from maskreg.errors import InputError
from maskreg.testing import ChromiumScan
from maskreg.testing.powder import LATTICE, electron_form_factor, reflections, ring_strengths

SMALL = {"shape": (256, 256), "scans": 2, "delays": (-1.0, 0.0, 10.0)}


@pytest.fixture(scope="module")
def scan():
    return ChromiumScan(**SMALL)


def test_reflections_are_those_of_a_body_centred_lattice():
    rings = reflections(22)
    assert rings.index_sum.tolist() == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]
    # 18 is 330 and 411 together
    assert rings.multiplicity.tolist() == [12, 6, 24, 12, 24, 8, 48, 6, 36, 24, 24]
    assert rings.spacing[0] == pytest.approx(LATTICE / np.sqrt(2))


def test_form_factor_has_its_published_limit_and_falls():
    s = np.linspace(0.1, 1.5, 40)
    assert np.all(np.diff(electron_form_factor(s)) < 0)
    # Rutherford scattering by the bare nucleus far out: f s^2 -> Z times the constant
    assert electron_form_factor(np.array([2.0]))[0] * 4.0 < 0.023934 * 24


def test_heat_weakens_the_outer_rings_most():
    rings = reflections(16)
    ratio = ring_strengths(rings, 0.30) / ring_strengths(rings, 0.25)
    assert np.all(ratio < 1.0) and np.all(np.diff(ratio) < 0)
    np.testing.assert_allclose(np.log(ratio), -2 * 0.05 / (4 * rings.spacing**2))


def ring_radius(profile, start, stop):
    """Radius of the ring between two radii: vertex of the parabola over its highest points."""
    window = profile[start:stop] - np.interp(
        np.arange(start, stop), [start, stop - 1], profile[[start, stop - 1]]
    )
    peak = int(window.argmax())
    a, b, _ = np.polyfit(np.arange(-3, 4), window[peak - 3 : peak + 4], 2)
    return start + peak - b / (2 * a)


def test_ring_radii_have_the_ratios_of_the_lattice():
    scan = ChromiumScan(scans=1, delays=(-1.0,))
    pattern = scan._pattern(-1.0)
    # along the column axis through the centre, right of the block
    row, column = pattern.centre
    line = pattern.render((round(row) - row, round(column) - column))[round(row), round(column) :]
    r110, r200, r211 = (ring_radius(line, r - 22, r + 23) for r in (163, 230, 282))
    assert r200 / r110 == pytest.approx(np.sqrt(2), rel=0.01)
    assert r211 / r110 == pytest.approx(np.sqrt(3), rel=0.01)


def test_frames_are_the_same_whenever_they_are_made(scan):
    frames = list(scan.frames())
    assert len(frames) == len(scan) == 6
    assert all(f.shape == (256, 256) and f.dtype == np.uint16 for f in frames)
    assert np.array_equal(ChromiumScan(**SMALL).frame(4), frames[4])
    assert not np.array_equal(ChromiumScan(**SMALL, seed=21).frame(4), frames[4])
    assert not np.array_equal(scan.expected(0), scan.expected(1))


def test_shifts_undo_the_drift_of_the_pattern_but_not_of_the_block(scan):
    np.testing.assert_array_equal(scan.shifts, -(scan.drift - scan.drift[0]))
    # the scans are far apart, the frames within one are not
    assert np.hypot(*(scan.shifts[3] - scan.shifts[2])) > 2
    assert np.hypot(*np.diff(scan.shifts[:3], axis=0).T).max() < 1
    behind = [scan.expected(i)[~scan.mask & (scan._distance < -6)] for i in (0, 5)]
    np.testing.assert_allclose(behind[0], behind[1], atol=0.05)


def test_the_mask_leaves_only_pattern(scan):
    assert 0.02 < 1.0 - scan.mask.mean() < 0.15
    for i in (0, 5):
        pattern = scan._dose(i) * scan._pattern(float(scan.delay[i])).render(scan.drift[i])
        np.testing.assert_allclose(scan.expected(i)[scan.mask], pattern[scan.mask], rtol=1e-3)
    assert (scan._hot[scan.mask] == 0).all() and (scan._hot > 0).any()


def test_counts_are_a_detector_reading_of_the_expectation(scan):
    detector, electrons = scan.detector, scan.expected(1)
    z = (scan.frame(1) - detector.offset) * detector.gain - electrons
    z /= np.sqrt(electrons + detector.read_noise**2)
    assert abs(z[scan.mask].mean()) < 0.03
    assert z[scan.mask].std() == pytest.approx(1.0, abs=0.02)


def test_the_pump_weakens_rings_after_time_zero_only():
    scan = ChromiumScan((256, 256), 1, (-2.0, -1.0, 0.0, 20.0))
    before, early, zero, late = (scan._pattern(float(d)).render() for d in scan.delay)
    assert np.array_equal(before, early) and np.array_equal(before, zero)
    change = np.abs(late / before - 1.0)
    assert 1e-3 < change.max() < 0.05


def test_what_is_written_is_what_was_made(tmp_path):
    scan = ChromiumScan((128, 128), 1, (-2.0, 0.25))
    paths = scan.write(tmp_path)
    assert [p.name for p in paths] == ["scan_1_delay_-2.0ps.tif", "scan_1_delay_0.25ps.tif"]
    assert np.array_equal(tifffile.imread(paths[1]), scan.frame(1))
    assert np.array_equal(tifffile.imread(tmp_path / "valid_mask.tif") > 0, scan.mask)
    truth = tmp_path / "truth_shifts.csv"
    assert truth.read_text().startswith("# row,col shift to APPLY to frame i")
    np.testing.assert_allclose(np.loadtxt(truth, delimiter=","), scan.shifts, atol=5e-5)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"scans": 0}, "at least one"),
        ({"delays": ()}, "at least one"),
        ({"delays": (1.0, 1.0)}, "each may occur once"),
        ({"shape": (64, 500)}, "128 x 128"),
    ],
)
def test_impossible_scans_are_refused(bad, message):
    with pytest.raises(InputError, match=message):
        ChromiumScan(**{**SMALL, **bad})
