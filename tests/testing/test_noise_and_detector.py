import numpy as np
import pytest

from maskreg.errors import InputError
from maskreg.testing import Detector, beam_block, noise_field


def test_an_ideal_detector_counts_poisson_electrons(rng):
    counts = Detector().expose(np.full((200, 200), 7.0), rng)
    assert counts.mean() == pytest.approx(7.0, abs=5 * np.sqrt(7.0 / counts.size))
    assert counts.var() == pytest.approx(7.0, rel=0.05)
    assert np.array_equal(counts, np.rint(counts))


def test_gain_offset_and_read_noise_have_their_meaning(rng):
    detector = Detector(gain=0.5, offset=100.0, read_noise=3.0)
    counts = detector.expose(np.full((200, 200), 40.0), rng)
    assert counts.mean() == pytest.approx(100.0 + 40.0 / 0.5, abs=0.4)
    assert counts.var() == pytest.approx((40.0 + 9.0) / 0.25, rel=0.05)


def test_integers_are_rounded_and_kept_in_range(rng):
    detector = Detector(gain=0.01, offset=-5.0, read_noise=1.0, saturation=3000.0, dtype=np.uint16)
    counts = detector.expose(np.array([0.0] * 50 + [1000.0] * 50), rng)
    assert counts.dtype == np.uint16
    assert counts[:50].min() == 0
    assert counts[50:].min() == counts[50:].max() == 3000


@pytest.mark.parametrize("bad", [{"gain": 0.0}, {"read_noise": -1.0}])
def test_impossible_detectors_are_refused(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        Detector(**bad)


@pytest.mark.parametrize(("shape", "exponent"), [((4096,), 1.0), ((96, 80), 1.0), ((24, 20, 28), 2.0)])
def test_noise_is_standardised_reproducible_and_of_any_dimension(shape, exponent):
    field = noise_field(shape, exponent, np.random.default_rng(5))
    assert field.shape == shape
    assert field.mean() == pytest.approx(0.0, abs=1e-12)
    assert field.std() == pytest.approx(1.0)
    assert np.array_equal(field, noise_field(shape, exponent, np.random.default_rng(5)))


@pytest.mark.parametrize("exponent", [0.0, 1.0, 1.5])
def test_noise_has_the_spectrum_asked_for(exponent, rng):
    power = np.zeros((128, 128))
    taper = np.outer(*[np.hanning(128)] * 2)
    for _ in range(20):
        power += np.abs(np.fft.fft2(noise_field((128, 128), exponent, rng) * taper)) ** 2
    f = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128))
    band = (f > 0.05) & (f < 0.4)
    slope, _ = np.polyfit(np.log(f[band]), 0.5 * np.log(power[band]), 1)
    assert slope == pytest.approx(-exponent, abs=0.05)


def test_opposite_edges_of_smooth_noise_do_not_match(rng):
    field = np.stack([noise_field((64, 64), 2.0, rng) for _ in range(40)])
    across_the_seam = np.mean((field[:, 0] - field[:, -1]) ** 2)
    between_neighbours = np.mean((field[:, 0] - field[:, 1]) ** 2)
    assert across_the_seam > 20 * between_neighbours


@pytest.mark.parametrize(("size", "fraction"), [("small", 0.05), ("standard", 0.12), ("large", 0.30)])
def test_the_block_hides_the_fraction_it_promises_at_any_size(size, fraction):
    for shape in [(64, 64), (256, 256), (1024, 1024)]:
        mask = beam_block(shape, size)
        assert mask.dtype == bool and mask.shape == shape
        assert 1.0 - mask.mean() == pytest.approx(fraction, abs=0.02)


def test_the_block_covers_its_centre_and_enters_from_the_top():
    mask = beam_block((200, 300), centre=(120, 80))
    assert not mask[120, 80]
    assert not mask[0].all()
    assert mask[-1].all() and mask[:, -1].all()


def test_an_unknown_block_is_refused():
    with pytest.raises(InputError, match="'huge'"):
        beam_block((64, 64), "huge")
