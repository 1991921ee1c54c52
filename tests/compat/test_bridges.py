"""Each bridge is crossed: the other library moves an image, and it lands where `shift_image` puts it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.ndimage

import maskreg
from maskreg.compat import bridges
from maskreg.errors import InputError

SHIFT = np.array([5.25, -9.5])


def image() -> np.ndarray:
    """Something smooth that is unlike its transpose and its mirror images."""
    rows, cols = np.mgrid[:60, :80]
    return (
        100 * np.exp(-((rows - 20) ** 2 + (cols - 45) ** 2) / 60)
        + 60 * np.exp(-((rows - 38) ** 2 + (cols - 30) ** 2) / 30)
    ).astype(np.float32)


def assert_lands(moved: np.ndarray, shift: np.ndarray = SHIFT, tolerance: float = 1.5) -> None:
    """Linear interpolation is off by up to 1 of 100 here; a wrong sign or axis by 50 and more."""
    expected, valid = maskreg.shift_image(image(), shift)
    inner = scipy.ndimage.binary_erosion(valid, iterations=2)
    assert inner.mean() > 0.5
    assert np.abs(np.asarray(moved) - expected)[inner].max() < tolerance
    wrong, _ = maskreg.shift_image(image(), -shift, fill=0)
    assert np.abs(np.asarray(moved) - wrong)[inner].max() > 30


def test_scipy() -> None:
    assert_lands(scipy.ndimage.shift(image(), SHIFT, order=3))


def test_opencv() -> None:
    cv2 = pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
    assert_lands(cv2.warpAffine(image(), bridges.to_opencv(SHIFT), (80, 60)))


def test_skimage() -> None:
    transform = pytest.importorskip("skimage.transform", reason="scikit-image is not installed")
    assert_lands(transform.warp(image(), bridges.to_skimage(SHIFT)))
    assert_lands(transform.warp(image(), transform.AffineTransform(matrix=bridges.to_skimage(SHIFT))))
    inverse = transform.AffineTransform(translation=(3, 4)).params
    assert_lands(transform.warp(image(), inverse), bridges.from_skimage(inverse))


@pytest.mark.parametrize("spacing", [None, (0.5, 2.0)])
@pytest.mark.parametrize("angle", [None, 0.3])
def test_simpleitk(spacing: tuple[float, float] | None, angle: float | None) -> None:
    sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed")
    picture = sitk.GetImageFromArray(image())
    direction = None
    if spacing:
        picture.SetSpacing(spacing)
    if angle:
        direction = [np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)]
        picture.SetDirection(direction)
    picture.SetOrigin((7.0, -3.0))
    offset = bridges.to_itk(SHIFT, spacing=spacing, direction=direction)
    moved = sitk.Resample(picture, picture, sitk.TranslationTransform(2, offset.tolist()), sitk.sitkBSpline)
    assert_lands(sitk.GetArrayFromImage(moved))
    np.testing.assert_allclose(bridges.from_itk(offset, spacing=spacing, direction=direction), SHIFT)


def test_pystackreg() -> None:
    pystackreg = pytest.importorskip("pystackreg", reason="pystackreg is not installed")
    reg = pystackreg.StackReg(pystackreg.StackReg.TRANSLATION)
    assert_lands(reg.transform(image(), bridges.to_pystackreg(SHIFT)))
    moving, _ = maskreg.shift_image(image(), -SHIFT, fill=0)
    np.testing.assert_allclose(bridges.from_pystackreg(reg.register(image(), moving)), SHIFT, atol=0.05)


@pytest.mark.filterwarnings("ignore")
def test_hyperspy() -> None:
    signals = pytest.importorskip("hyperspy.signals", reason="hyperspy is not installed")
    stack = signals.Signal2D(np.stack([image(), image()]))
    stack.align2D(shifts=bridges.to_hyperspy([[0.0, 0.0], SHIFT]), fill_value=0, crop=False)
    assert_lands(stack.data[1])
    moving, _ = maskreg.shift_image(image(), np.array([-4.0, 7.0]), fill=0)
    found = signals.Signal2D(np.stack([image(), moving])).estimate_shift2D(show_progressbar=False)
    np.testing.assert_allclose(bridges.from_hyperspy(found)[1], [4, -7], atol=1)


@pytest.mark.filterwarnings("ignore")  # at its import, of what it stands on
def test_napari() -> None:
    layers = pytest.importorskip("napari.layers", reason="napari is not installed")
    layer = layers.Image(image(), affine=bridges.to_napari(SHIFT))
    np.testing.assert_allclose(bridges.from_napari(layer.affine.affine_matrix), SHIFT)
    # each place of the world shows the data that the layer has there
    places = np.stack(np.mgrid[:60, :80], axis=-1).reshape(-1, 2)
    there = np.array([layer.world_to_data(place) for place in places])
    assert_lands(scipy.ndimage.map_coordinates(image(), there.T, order=3).reshape(60, 80))


def test_a_napari_matrix_takes_a_place_in_the_data_to_its_place_in_the_world() -> None:
    inverse = np.linalg.inv(bridges.to_napari(SHIFT))
    assert_lands(scipy.ndimage.affine_transform(image(), inverse, order=3))


PAIRS: list[tuple[Callable, Callable]] = [
    (getattr(bridges, f"to_{name}"), getattr(bridges, f"from_{name}"))
    for name in ("hyperspy", "opencv", "skimage", "pystackreg", "napari", "itk")
]


@pytest.mark.parametrize(("to", "back"), PAIRS)
def test_there_and_back_for_one_and_for_many(to: Callable, back: Callable) -> None:
    shifts = np.random.default_rng(0).normal(0, 9, (5, 2))
    shifts[3] = np.nan
    np.testing.assert_allclose(back(to(shifts)), shifts)
    np.testing.assert_allclose(back(to(shifts[0])), shifts[0])
    np.testing.assert_array_equal(to(shifts)[1], to(shifts[1]))


@pytest.mark.parametrize("name", ["hyperspy", "napari", "itk"])
def test_volumes(name: str) -> None:
    shift = np.array([1.5, -2.0, 3.0])
    there = getattr(bridges, f"to_{name}")(shift)
    np.testing.assert_allclose(getattr(bridges, f"from_{name}")(there), shift)


def test_what_is_no_shift_is_refused() -> None:
    turned = np.array([[0.9, 0.1, 3.0], [-0.1, 0.9, 2.0]])
    with pytest.raises(InputError, match="matrix rotates, scales or shears"):
        bridges.from_skimage([[1, 0, 5], [0, 1, 3], [0, 0, 2]])  # half of it, as homogeneous coordinates go
    with pytest.raises(InputError, match="matrix rotates, scales or shears"):
        bridges.from_opencv(turned)
    with pytest.raises(InputError, match=r"matrix has shape \(3, 3\); it must be \(2, 3\)"):
        bridges.from_opencv(np.eye(3))
    with pytest.raises(InputError, match="shift has 3 numbers; this is for images of 2 axes"):
        bridges.to_opencv([1, 2, 3])
    with pytest.raises(InputError, match="it must be numbers of px"):
        bridges.to_itk(["left", "right"])
    with pytest.raises(InputError, match="does not fit 2 axes"):
        bridges.to_itk([1, 2], spacing=(1, 1, 1))
    for wrong in ({"spacing": (0, 1)}, {"spacing": (np.nan, 1)}, {"direction": np.ones((2, 2))}):
        for call in (bridges.to_itk, bridges.from_itk):
            with pytest.raises(InputError, match="leave out a direction"):
                call([1, 2], **wrong)
