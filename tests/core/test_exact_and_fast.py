"""Never faster at the cost of the answer: where exact is ok, fast is ok at the same pixel."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
import tifffile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from tests.cases import cases
from tests.core.registration_law import COUNTS, assert_same_place, bits, counted_pair, whole

from maskreg import Registrar, register
from maskreg.core.image.prepared import Prepared
from maskreg.core.image.pyramid import MaskPyramid
from maskreg.core.image.stabilise import detector_for
from maskreg.core.masked_side import MaskedSide
from maskreg.core.plan import make_plan
from maskreg.core.reference import ReferenceSide
from maskreg.masks import load_mask
from maskreg.options import Options
from maskreg.testing import ChromiumScan, Rings, Spots, Texture, beam_block

SIDE = 256
"""Large enough for a first look at a coarser level."""

ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE].astype(float)
BLOCK = beam_block((SIDE, SIDE))
ALL = np.ones((SIDE, SIDE), bool)


def assert_the_law(reference, moving, reference_mask=None, moving_mask=None, **options):
    """Return both answers; where exact is not ok nothing is asked of fast but the same whole pixel if ok."""
    exact = register(reference, moving, reference_mask, moving_mask, exact=True, **options)
    fast = register(reference, moving, reference_mask, moving_mask, **options)
    if exact.ok:
        assert fast.ok, (exact, fast)
        assert whole(exact) == whole(fast), (exact, fast)
    return exact, fast


def poisson(rng, mean):
    return rng.poisson(mean).astype(np.uint16)


def background(height=200.0):
    """A bright diffuse background that stands still."""
    return height * np.exp(-((ROWS - 120) ** 2 + (COLUMNS - 130) ** 2) / 2 / 60**2)


def lattice(rng, shift, period, envelope=1.0):
    waves = [np.cos(2 * np.pi * (x + s) / p) for x, s, p in zip((ROWS, COLUMNS), shift, period, strict=True)]
    return envelope * (waves[0] + waves[1] + 2) / 4


def blurred_noise(seed, sigma, size=2 * SIDE):
    field = gaussian_filter(np.random.default_rng(seed).standard_normal((size, size)), sigma, mode="wrap")
    return field / field.std()


def view(field, shift):
    """The window whose content is shifted by -shift against the one in the middle."""
    start = [(n - SIDE) // 2 + s for n, s in zip(field.shape, shift, strict=True)]
    return field[start[0] : start[0] + SIDE, start[1] : start[1] + SIDE]


shifts = st.tuples(st.integers(-40, 40), st.integers(-40, 40))
seeds = st.integers(0, 2**32 - 1)


def test_these_images_have_first_looks():
    assert make_plan((SIDE, SIDE), (SIDE, SIDE)).looks == (8, 4, 2)
    assert make_plan((SIDE, SIDE), (SIDE, SIDE), exact=True).looks == ()


@settings(derandomize=True, deadline=None, max_examples=cases(6, 12))
@given(seeds, shifts, st.sampled_from([0.0, 1.0, 3.0]), st.sampled_from([0.05, 1.0, 30.0]))
def test_textures_of_every_dose(seed, shift, sigma, dose):
    field = np.exp(0.5 * (blurred_noise(seed, sigma) if sigma else blurred_noise(seed, 0.6)))
    rng = np.random.default_rng(seed)
    exact, _ = assert_the_law(
        poisson(rng, dose * view(field, (0, 0))), poisson(rng, dose * view(field, shift))
    )
    if dose >= 1:
        assert exact.ok
        assert whole(exact) == shift


@settings(derandomize=True, deadline=None, max_examples=cases(5, 10))
@given(seeds, shifts, st.sampled_from([(2, 2), (2, 3), (3, 5), (4, 4), (7.3, 9.1)]), st.booleans())
def test_fine_lattices_on_a_background_that_stands_still(seed, shift, period, moves):
    """Binned, the lattice vanishes, and what is left stands still."""
    rng = np.random.default_rng(seed)

    def frame(by):
        centre = np.hypot(ROWS + by[0] * moves - 128, COLUMNS + by[1] * moves - 128)
        return poisson(rng, background() + 60 * lattice(rng, by, period, np.exp(-(centre**2) / 2 / 45**2)))

    assert_the_law(frame((0, 0)), frame(shift))


@settings(derandomize=True, deadline=None, max_examples=cases(6, 12))
@given(
    seeds,
    shifts,
    st.sampled_from([4.6, 5.7, 6.3, 8.2, 11.9]),
    st.sampled_from([0.3, 3.0, 60.0]),
    st.booleans(),
)
def test_lattices_whose_periods_the_first_look_hardly_tells_apart(seed, shift, period, dose, even):
    """A period is one to three pixels of the coarsest look; the envelope alone does not tell which it is."""
    rng = np.random.default_rng(seed)

    def frame(by):
        centre = np.hypot(ROWS + by[0] - 128, COLUMNS + by[1] - 128)
        envelope = 1.0 if even else np.exp(-(centre**2) / 2 / 60**2)
        return poisson(rng, dose * (0.2 + lattice(rng, by, (period, 1.1 * period), envelope)))

    exact, fast = assert_the_law(frame((0, 0)), frame(shift))
    if fast.ok:
        assert whole(fast) == (whole(exact) if exact.ok else shift)


@settings(derandomize=True, deadline=None, max_examples=cases(4, 10))
@given(seeds, shifts, st.sampled_from([0.4, 0.7, 1.5]), st.sampled_from([3, 30, 200]))
# the low-passed look is pulled by the background, and what single pixels say contradicts it
@example(1271930726, (-35, 3), 0.7, 200)
@example(1181868705, (-37, -6), 0.7, 200)
def test_spots_one_pixel_wide_on_a_background_that_stands_still(seed, shift, width, count):
    rng = np.random.default_rng(seed)
    places = rng.uniform(-40, SIDE + 40, (count, 2))

    def frame(by):
        out = background(50.0) + 1
        for y, x in places - by:
            out += 300 * np.exp(-((ROWS - y) ** 2 + (COLUMNS - x) ** 2) / 2 / width**2)
        return poisson(rng, out)

    assert_the_law(frame((0, 0)), frame(shift))


@settings(derandomize=True, deadline=None, max_examples=cases(4, 8))
@given(
    seeds, st.tuples(st.integers(-30, 30), st.integers(-30, 30)), st.sampled_from(["tiny", "checker", "dust"])
)
def test_masks_of_every_kind(seed, shift, kind):
    rng = np.random.default_rng(seed)
    mask = {
        "tiny": (np.abs(ROWS - 100) < 26) & (np.abs(COLUMNS - 140) < 22),
        "checker": (ROWS + COLUMNS) % 2 == 0,
        "dust": rng.random((SIDE, SIDE)) < 0.3,
    }[kind]
    field = np.exp(0.4 * blurred_noise(seed, 2.0))
    a, b = (poisson(rng, 40 * view(field, s)) for s in ((0, 0), shift))
    assert_the_law(a, b, mask, mask)


@pytest.mark.parametrize("shift", [(140, 3), (-150, 160), (180, -170), (-5, 200)])
def test_shifts_beyond_half_the_frame(shift):
    field = np.exp(0.5 * blurred_noise(7, 2.0, 3 * SIDE))
    rng = np.random.default_rng(8)
    exact, fast = assert_the_law(
        poisson(rng, 50 * view(field, (0, 0))), poisson(rng, 50 * view(field, shift))
    )
    assert fast.ok
    assert whole(fast) == shift
    assert_same_place(fast, exact)


@pytest.mark.parametrize("scene", [Rings, Spots, Texture])
@pytest.mark.parametrize("dose", [0.05, 0.5, 20.0])
@pytest.mark.parametrize("drift", cases([(-17.8, 9.1)], [(3.2, -5.3), (-17.8, 9.1)]))
def test_scenes_of_the_experiment(scene, dose, drift):
    a, b, mask = counted_pair(scene((SIDE, SIDE)), drift, dose, BLOCK, 11)
    assert_the_law(a, b, mask, mask)


@pytest.mark.parametrize("limit", [4.0, 12.0, 60.0])
def test_a_limit_below_and_above_the_shift(limit):
    a, b, mask = counted_pair(Rings((SIDE, SIDE)), (-9.8, 4.1), 20.0, BLOCK, 12)
    assert_the_law(a, b, mask, mask, max_shift=limit)


@pytest.mark.parametrize("width", [6.0, 15.0])
@pytest.mark.parametrize("strength", [0.5, 2.0, 8.0])
def test_a_coarse_structure_that_stands_still_does_not_outvote_what_moves(strength, width):
    """The fine texture moves by (6, -10), the coarse one, of a dirty window, does not."""
    still = strength * view(blurred_noise(13, width), (0, 0))
    field = blurred_noise(14, 0.7)
    rng = np.random.default_rng(15)
    a, b = (poisson(rng, np.maximum(150 + 4 * still + 25 * view(field, s), 1)) for s in ((0, 0), (6, -10)))
    assert_the_law(a, b)


# the share of frames for which the first look is not enough


@cache
def scan():
    return ChromiumScan((512, 512), scans=2, delays=tuple(range(10)))


def test_ordinary_frames_need_the_first_look_only():
    series = scan()
    registrar = Registrar(series.frame(0), series.mask, series.mask)
    for k in range(1, 20):
        assert registrar(series.frame(k)).ok
    assert registrar.looks == (19, 0)


def test_the_score_bears_out_the_coarsest_look_and_not_a_place_a_few_pixels_off():
    scan = ChromiumScan((1024, 1024), scans=2, delays=tuple(range(3)))
    frame, other = scan.frame(0), scan.frame(4)
    masks = MaskPyramid(scan.mask)
    detector = detector_for(Options(), [(frame, scan.mask)])
    image = Prepared(frame, masks, detector)
    masked = MaskedSide(ReferenceSide(image, Options()), masks)
    assert masked.looks == masked.plan.looks == (32, 16, 8)
    least = masked.side.least_score(masked.plan, 32)
    moving = Prepared(other, masks, detector, image.mean)
    at = np.rint(scan.shifts[4] - scan.shifts[0]).astype(int)

    def score(off):
        lag = tuple(int(s) for s in at + off)
        return moving.sums_with(image, lag).ncc

    assert score((0, 0)) >= least
    for off in [(16, 0), (0, -16), (12, 12)]:
        assert score(off) < least


def test_where_the_score_cannot_tell_what_is_hidden_a_look_is_left_out():
    rng = np.random.default_rng(17)
    broad = poisson(rng, 20 + 100 * np.exp(-((ROWS - 120) ** 2 + (COLUMNS - 130) ** 2) / 2 / 40**2))
    masks = MaskPyramid(ALL)
    side = ReferenceSide(Prepared(broad, masks, detector_for(Options(), [(broad, ALL)])), Options())
    assert 4 in MaskedSide(side, masks).plan.looks
    assert 4 not in MaskedSide(side, masks).looks


def test_frames_of_hardly_any_electron_are_searched_at_all_levels():
    a, b, mask = counted_pair(Rings((SIDE, SIDE)), (3.2, -5.3), 0.05, BLOCK, 16)
    registrar = Registrar(a, mask, mask)
    registrar(b)
    assert registrar.looks == (0, 1)
    exact = Registrar(a, mask, mask, exact=True)
    exact(b)
    assert exact.looks == (0, 0)


def test_what_was_looked_at_before_changes_no_bit():
    """Caches of the reference's side fill in another order; the answer does not know."""
    series = scan()
    frames = [series.frame(k) for k in (1, 12, 5)]
    one, other = (Registrar(series.frame(0), series.mask, series.mask) for _ in range(2))
    forwards = [bits(one(frame)) for frame in frames]
    other(COUNTS.expose(np.full((512, 512), 3.0), np.random.default_rng(17)))
    backwards = [bits(other(frame)) for frame in reversed(frames)][::-1]
    assert forwards == backwards


# real frames


@pytest.fixture(scope="module")
def truth(shared_data):
    return {case["name"]: case for case in json.loads((shared_data / "truth.json").read_text())}


def test_every_real_pair(shared_data, truth):
    pairs = [name for name, case in truth.items() if case["kind"] == "pair"]
    assert len(pairs) >= 14
    for name in pairs:
        folder = shared_data / name
        images = [tifffile.imread(folder / f"{part}.tif") for part in ("reference", "moving")]
        paths = [folder / f"{part}_mask.tif" for part in ("reference", "moving")]
        masks = [tifffile.imread(path) > 0 if path.exists() else None for path in paths]
        assert_the_law(*images, *masks)


def test_every_frame_of_the_real_series(shared_data, truth):
    for name, case in truth.items():
        if case["kind"] == "pair":
            continue
        paths = sorted((shared_data / name).glob("*.tif"))
        frames = [tifffile.imread(path) for path in paths if "mask" not in path.name]
        frames = [image for stack in frames for image in (stack if stack.ndim == 3 else [stack])]
        mask = load_mask(shared_data / name / "valid_mask.png")
        fast, exact = (Registrar(frames[0], mask, mask, exact=choice) for choice in (False, True))
        for frame in frames[1:]:
            one, other = exact(frame), fast(frame)
            if one.ok:
                assert other.ok, (name, one, other)
                # half a pixel may be rounded either way
                assert np.abs(one.shift - other.shift).max() < 0.1, (name, one, other)


@pytest.mark.parametrize("gain", [None, 0.5226])
def test_rings_of_some_pixels_are_refined_on_the_image_binned_by_two(gain):
    # single pixels show nothing of them; the noise is known to a part only, and its error is no structure
    scan = ChromiumScan((1024, 1024), scans=2, delays=tuple(range(9)))
    frame, offset = scan.frame(0), None if gain is None else 90.97
    detector = detector_for(Options(gain=gain, offset=offset, read_noise=0), [(frame, scan.mask)])
    side = ReferenceSide(Prepared(frame, MaskPyramid(scan.mask), detector), Options())
    assert side.finer_helps(4)
    assert not side.finer_helps(2)
