from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from maskreg import Status, align
from maskreg.errors import RunError
from maskreg.frames import as_source
from maskreg.masks import grow
from maskreg.options import Options
from maskreg.series.before.prepared import prepare
from maskreg.series.run import align_run
from maskreg.testing import ChromiumScan, Detector, Rings, Texture, beam_block

SHAPE = (128, 128)
DRIFTS = np.cumsum(np.random.default_rng(5).normal(0, 1.5, (20, 2)), axis=0)
DRIFTS -= DRIFTS[0]


def frames_of(scene, dose, *, pattern=0.0, detector=None, off=(), veiled=False):
    """Return uint16 frames; those in `off` are without a beam, evenly lit.

    With `veiled` each has an intensity and a veil of its own.
    """
    rng = np.random.default_rng(2)
    flat = 1 + pattern * rng.normal(size=SHAPE)
    detector = detector or Detector(dtype=np.uint16)
    expected = [np.ones(SHAPE) if k in off else scene.render(d) for k, d in enumerate(DRIFTS)]
    if veiled:
        expected = [rng.uniform(0.5, 1.5) * one + rng.uniform(0, 3) for one in expected]
    return [detector.expose(dose * flat * one, rng) for one in expected]


def look(frames, mask, **options):
    return prepare(as_source(frames), mask, "first", Options(**options)).look


@pytest.mark.parametrize(("gain", "offset"), [(0.5, 100.0), (4.0, 50.0), (0.05, 400.0)])
def test_gain_and_pedestal_are_read_off_the_series(gain, offset):
    detector = Detector(gain=gain, offset=offset, read_noise=0.3, dtype=np.uint16)
    found = look(frames_of(Texture(SHAPE), 60, detector=detector), beam_block(SHAPE)).detector
    assert found is not None
    assert found.gain == pytest.approx(gain, rel=0.15)
    # what counts is the variance at the mean brightness
    brightness = offset + 60 / gain
    assert (brightness - found.offset) / found.gain == pytest.approx(60 / gain**2, rel=0.1)


def test_what_the_user_says_of_the_detector_wins():
    detector = Detector(gain=0.5, offset=100.0, dtype=np.uint16)
    frames = frames_of(Texture(SHAPE), 60, detector=detector)
    assert look(frames, beam_block(SHAPE), gain=0.7).options.gain == 0.7
    assert look(frames, beam_block(SHAPE), gain=0.7).detector is None


def test_electrons_stay_electrons_and_a_clean_detector_stays_uncorrected():
    found = look(frames_of(Texture(SHAPE), 60), beam_block(SHAPE))
    assert found.detector is None
    assert found.static is None
    assert found.describe() is None


@pytest.mark.parametrize("scene", [Texture(SHAPE), Rings(SHAPE)])
def test_frames_that_differ_in_brightness_and_veil_show_no_detector(scene):
    found = look(frames_of(scene, 100, veiled=True), beam_block(SHAPE))
    assert found.detector is None
    assert found.static is None


def test_gain_and_pedestal_are_read_off_frames_that_differ_in_brightness_and_veil():
    detector = Detector(gain=0.5, offset=100.0, dtype=np.uint16)
    found = look(frames_of(Texture(SHAPE), 60, detector=detector, veiled=True), beam_block(SHAPE)).detector
    assert found is not None
    assert found.gain == pytest.approx(0.5, rel=0.1)
    assert found.offset == pytest.approx(100, abs=10)


@pytest.mark.parametrize(("tight", "warned"), [(0, True), (5, False)])
def test_a_mask_that_leaves_a_soft_shadow_in_is_said_to_be_too_tight(caplog, tight, warned):
    block = beam_block(SHAPE)
    shadow = gaussian_filter(block.astype(float), 1.5)
    rng = np.random.default_rng(4)
    scene = Texture(SHAPE)
    frames = [rng.poisson(100 * shadow * scene.render(2 * d)).astype(np.uint16) for d in DRIFTS]
    look(frames, grow(block, tight))
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(said) == warned
    if warned:
        assert "the mask is too tight, grow it by" in said[0]


def test_a_pattern_of_the_detector_is_found_and_frames_that_hold_nothing_else_are_static():
    off = (6, 13, 18)
    frames = frames_of(Texture(SHAPE), 200, pattern=0.02, off=off)
    mask = beam_block(SHAPE)
    found = look(frames, mask)
    assert found.static is not None
    assert found.static.multiplies
    alignment = align(frames, mask)
    assert [alignment.status[k] for k in off] == [Status.STATIC] * 3
    assert np.isnan(alignment.shifts[list(off)]).all()
    others = [k for k in range(len(frames)) if k not in off]
    assert alignment.ok[others].all()
    errors = (alignment.shifts + DRIFTS)[others[1:]] / alignment.uncertainty[others[1:]]
    assert np.abs(errors.mean(axis=0)).max() < 2


def test_where_nothing_moves_nothing_is_called_static():
    rng = np.random.default_rng(0)
    flat = 1 + 0.02 * rng.normal(size=SHAPE)
    still = Rings(SHAPE).render()
    frames = [rng.poisson(200 * flat * still).astype(np.uint16) for _ in range(10)]
    assert look(frames, beam_block(SHAPE)).static is None
    assert align(frames, beam_block(SHAPE)).ok.all()


def test_a_reference_that_none_of_the_first_frames_goes_with_is_told_at_once(caplog):
    """A mask among the frames was the reference: it was told at the end of a night of weak frames."""
    frames = frames_of(Texture(SHAPE), 60)
    look(frames, None)
    assert "goes with" not in caplog.text
    look([255 * beam_block(SHAPE).astype("uint16"), *frames], None)
    assert (
        "none of the first 16 frames goes with the reference, frame 0 (frames[0]): is it dark" in caplog.text
    )


def test_a_run_whose_first_frames_have_changed_is_refused_with_the_reason(tmp_path):
    detector = Detector(gain=0.5, offset=100.0, read_noise=0.3, dtype=np.uint16)
    for k, frame in enumerate(frames_of(Texture(SHAPE), 60, detector=detector)):
        np.save(tmp_path / f"f{k:02}.npy", frame)
    whole = (tmp_path / "f07.npy").read_bytes()
    (tmp_path / "f07.npy").write_bytes(whole[:1000])
    align_run(tmp_path, tmp_path / "run", beam_block(SHAPE), workers=1)
    (tmp_path / "f07.npy").write_bytes(whole)
    with pytest.raises(RunError, match=r"gain .* the first frames are not what they were"):
        align_run(tmp_path, tmp_path / "run", beam_block(SHAPE), workers=1)


def test_frames_that_are_delivered_again_show_nothing_that_stays():
    """Their noise is the same, which is not that of the detector."""
    frames = frames_of(Texture(SHAPE), 60)
    nine = frames[:9]
    again = look(nine * 3, beam_block(SHAPE))
    assert again.static is None
    assert again.detector is None
    for times in (2, 8):  # the reference, which is found at a shift of not quite zero
        assert look(frames[:1] * times + frames[1:], beam_block(SHAPE)).describe() is None
    once, thrice = (align(nine * times, beam_block(SHAPE)).shifts for times in (1, 3))
    np.testing.assert_array_equal(thrice[:9], once)


@pytest.mark.parametrize("masked", [False, True])
def test_a_block_that_is_not_masked_is_told_and_is_no_static_structure(caplog, masked):
    scan = ChromiumScan((192, 192), scans=2)
    frames = [scan.frame(k) for k in (0, *range(14, 24), *range(1, 12))]
    mask = scan.mask if masked else None
    found = look(frames, mask)
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any("and are not masked" in one for one in said) != masked
    if not masked:
        assert found.static is None
