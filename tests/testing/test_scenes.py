"""Laws that every scene obeys: it is exact, it moves exactly, its scale is known."""

import numpy as np
import pytest
from scipy.integrate import dblquad

from maskreg.errors import InputError
from maskreg.testing import DiffuseRings, Lines, RadialScene, Rings, Spots, Texture

SCENES = [Rings, DiffuseRings, Spots, Texture, Lines]
SHAPE = (128, 150)
EDGE = 24


@pytest.fixture(params=SCENES, ids=lambda scene: scene.__name__)
def scene(request):
    return request.param(SHAPE)


def test_mean_is_one_and_no_pixel_is_negative(scene):
    image = scene.render()
    assert image.shape == SHAPE and image.dtype == np.float64
    assert image.mean() == pytest.approx(1.0, abs=1e-12)
    assert image.min() > 0.0


def test_a_whole_pixel_drift_rolls_the_content(scene):
    drift = (7, -12)
    rolled = np.roll(scene.render((0.31, -0.47)), drift, axis=(0, 1))
    moved = scene.render((7.31, -12.47))
    inside = (slice(EDGE, -EDGE),) * 2
    assert np.ptp(moved[inside]) > 0.1
    np.testing.assert_allclose(moved[inside], rolled[inside], rtol=1e-9)


def test_the_same_seed_gives_the_same_scene_and_another_seed_another(scene):
    kind = type(scene)
    assert np.array_equal(scene.render((1.5, 2.5)), kind(SHAPE).render((1.5, 2.5)))
    assert not np.allclose(scene.render(), kind(SHAPE, 77).render(), rtol=1e-3)


def test_the_gradient_is_the_derivative_by_the_drift(scene):
    gradient = scene.gradient((0.4, 0.7))
    assert gradient.shape == (2, *SHAPE)
    h = 1e-3
    rows = (scene.render((0.4 + h, 0.7)) - scene.render((0.4 - h, 0.7))) / (2 * h)
    columns = (scene.render((0.4, 0.7 + h)) - scene.render((0.4, 0.7 - h))) / (2 * h)
    size = np.abs(gradient).max()
    np.testing.assert_allclose(gradient[0], rows, atol=1e-5 * size)
    np.testing.assert_allclose(gradient[1], columns, atol=1e-5 * size)


def test_a_drift_that_is_not_two_finite_numbers_is_refused(scene):
    with pytest.raises(InputError, match="two finite numbers"):
        scene.render((1.0, np.nan))
    with pytest.raises(InputError, match="two finite numbers"):
        scene.render((1.0, 2.0, 3.0))


def fourier_shifted(image, drift):
    """Shift a periodic image by the phases of its transform."""
    rows, columns = (np.fft.fftfreq(n) for n in image.shape)
    phase = np.exp(-2j * np.pi * (rows[:, None] * drift[0] + columns * drift[1]))
    return np.fft.ifft2(np.fft.fft2(image) * phase).real


def test_a_narrow_pattern_moves_as_its_fourier_transform_says():
    # a Gaussian of 2.5 px is band limited to rounding and periodic, since it ends before the border
    scene = RadialScene((64, 60), (31.3, 30.1), lambda r: 1e-3 + np.exp(-0.5 * (r / 2.5) ** 2))
    drift = (2.37, -3.81)
    np.testing.assert_allclose(
        scene.render(drift), fourier_shifted(scene.render(), drift), atol=1e-6 * scene.render().max()
    )


def test_texture_moves_as_its_fourier_transform_says():
    # compared on the field that the texture is cut from, made visible by a scene as large as that
    scene = Texture((64, 64))
    whole = Texture((64, 64))
    whole.shape, whole._corner = whole._field_shape, (0, 0)
    drift = (2.37, -3.81)
    np.testing.assert_allclose(whole.render(drift), fourier_shifted(whole.render(), drift), atol=1e-12)
    top, left = scene._corner
    part = whole.render(drift)[top : top + 64, left : left + 64]
    np.testing.assert_allclose(
        part / part.mean(), scene.render(drift) / scene.render(drift).mean(), rtol=1e-9
    )


def test_a_radial_scene_is_the_integral_over_its_pixels():
    def profile(r):
        return 0.2 + np.exp(-0.5 * ((r - 9.0) / 1.8) ** 2)

    scene = RadialScene((32, 32), (15.3, 16.2), profile)
    image = scene.render((0.4, -0.3))
    for row, column in [(15, 16), (9, 12), (15, 25), (22, 21), (2, 30)]:
        exact, _ = dblquad(
            lambda x, y: profile(np.hypot(y - 15.7, x - 15.9)),
            row - 0.5,
            row + 0.5,
            column - 0.5,
            column + 0.5,
        )
        assert image[row, column] / scene._scale == pytest.approx(exact, abs=3e-7)


def test_the_angular_orders_agree_with_a_quadrature_in_every_pixel():
    def profile(r):
        return np.exp(-0.5 * ((r - 30.0) / 1.8) ** 2)

    scene = RadialScene((80, 80), (39.6, 40.3), profile)
    points, weights = np.polynomial.legendre.leggauss(5)
    expected = np.zeros((80, 80))
    for dy, wy in zip(points / 2, weights / 2, strict=True):
        for dx, wx in zip(points / 2, weights / 2, strict=True):
            y, x = np.arange(80)[:, None] + dy - 39.6, np.arange(80) + dx - 40.3
            expected += wy * wx * profile(np.hypot(y, x))
    np.testing.assert_allclose(scene.render() / scene._scale, expected, atol=3e-7)


def test_a_drift_beyond_the_table_is_refused():
    scene = RadialScene((32, 32), (16, 16), lambda r: np.exp(-r / 50 + 1), largest_drift=5)
    scene.gradient((3.0, 4.0))
    with pytest.raises(InputError, match="largest_drift"):
        scene.render((30.0, 4.0))


def test_diffuse_background_is_twenty_times_the_strongest_ring():
    scene = DiffuseRings((256, 256))
    row = scene.render()[round(scene.centre[0])]
    column = round(scene.centre[1])
    inside, ring, outside = (row[column + r] for r in (38, 45, 52))
    # the first ring over the background interpolated beneath it; it is the strongest or nearly so
    height = ring - np.sqrt(inside * outside)
    assert height / row.max() == pytest.approx(1 / 20, rel=0.25)


def test_lines_fix_one_direction_only():
    gradient = Lines(SHAPE, angle=0.3).gradient()
    along = -np.sin(0.3) * gradient[0] + np.cos(0.3) * gradient[1]
    across = np.cos(0.3) * gradient[0] + np.sin(0.3) * gradient[1]
    assert np.abs(along).max() < 1e-6 * np.abs(across).max()


def test_texture_power_integrates_to_its_variance():
    texture = Texture((256, 256), contrast=0.35)
    f = np.fft.fftfreq(512)
    variance = texture.power(f[:, None], f[None, :]).mean()
    # the ensemble's variance against that of one realisation's part
    assert variance == pytest.approx(texture.render().var(), rel=0.35)
    assert texture.power(np.array([0.45]), np.array([0.0])) == 0.0


def test_a_scene_needs_two_axes():
    with pytest.raises(InputError, match="rows and columns"):
        Texture((0, 10))


def test_rings_expand_about_their_centre_and_nothing_else_does():
    still, expanded = Rings(SHAPE), Rings(SHAPE, expansion=1.02)
    assert expanded.centre == still.centre
    row, column = (round(c) for c in still.centre)
    # within the innermost ring there is background only, up to the scale that makes the mean one
    ratio = (
        expanded.render()[row - 8 : row + 9, column - 8 : column + 9]
        / still.render()[row - 8 : row + 9, column - 8 : column + 9]
    )
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-6)
    assert not np.allclose(expanded.render() / ratio[0, 0], still.render(), rtol=1e-2)


def test_some_spots_fade_and_the_others_keep_their_strength():
    still, faded = Spots(SHAPE), Spots(SHAPE, fading=0.2)
    lost = 1.0 - faded._heights / still._heights
    assert set(np.round(lost, 9)) == {0.0, 0.2}
    assert 0.1 < np.mean(lost > 0.1) < 0.3
