"""The peers: each a function from a pair to an answer, with what it needs to do its best.

None of them says how sure it is. Behind the mask each is given the mean of the valid pixels
instead of the garbage, since their filters and interpolation reach over its edge; one is also
given the images as they are. Where a start is asked for, some are given the truth rounded to
whole pixels, the best any search could do.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.pairs import Answer, Case, Tool, maskreg_answer

ROUNDED = "from the truth rounded"


def available() -> tuple[dict[str, Tool], list[str]]:
    """Return the tools that are installed, `maskreg` first, and the names of the others."""
    tools: dict[str, Tool] = {"maskreg": maskreg_answer}
    missing = []
    for name, (package, function, tool) in PEERS.items():
        if find_spec(package) is not None and hasattr(import_module(package), function):
            tools[name] = tool
        else:
            missing.append(name)
    return tools, missing


def _filled(case: Case) -> list[NDArray[np.float32]]:
    return [
        np.where(case.mask, image, image[case.mask].mean()).astype(np.float32)
        for image in (case.reference, case.moving)
    ]


def _answer(shift: NDArray[np.float64] | None) -> Answer:
    nothing = np.full(2, np.nan)
    given = nothing if shift is None else np.asarray(shift, np.float64)
    return Answer(given, np.full((2, 2), np.nan), "weak" if shift is None else "ok")


def scikit_image_masked(case: Case) -> Answer:
    """Whole pixels: its masked mode has no other."""
    from skimage.registration import phase_cross_correlation

    found = phase_cross_correlation(
        *_filled(case), reference_mask=case.mask, moving_mask=case.mask, overlap_ratio=0.3
    )
    return _answer(found[0])


def scikit_image_upsampled(case: Case) -> Answer:
    """Without masks, to a hundredth of a pixel, unnormalised (for noisy images)."""
    from skimage.registration import phase_cross_correlation

    return _answer(phase_cross_correlation(*_filled(case), upsample_factor=100, normalization=None)[0])


def pystackreg_translation(case: Case) -> Answer:
    """Without masks."""
    from pystackreg import StackReg

    stack = StackReg(StackReg.TRANSLATION)
    matrix = stack.register(*(image.astype(np.float64) for image in _filled(case)))
    # it maps points of the reference onto points of the moving image, x before y
    return _answer(-matrix[:2, 2][::-1])


def opencv_ecc_rounded(case: Case) -> Answer:
    """Start from the truth rounded to whole pixels."""
    return _opencv(case, _filled(case), np.rint(case.shift))


def opencv_ecc_scratch(case: Case) -> Answer:
    """Start from no shift at all."""
    return _opencv(case, _filled(case), np.zeros(2))


def opencv_ecc_unfilled(case: Case) -> Answer:
    """Start from the truth rounded to whole pixels; the garbage is left to the masks."""
    images = [image.astype(np.float32) for image in (case.reference, case.moving)]
    return _opencv(case, images, np.rint(case.shift))


def _opencv(case: Case, images: list[NDArray[np.float32]], start: NDArray[np.float64]) -> Answer:
    import cv2

    cv2.setNumThreads(1)
    warp = np.eye(2, 3, dtype=np.float32)
    warp[:, 2] = -start[::-1]
    valid = case.mask.astype(np.uint8) * 255
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-8)
    try:
        _, warp = cv2.findTransformECCWithMask(
            *images, valid, valid, warp, cv2.MOTION_TRANSLATION, criteria, 5
        )
    except cv2.error:  # it has not converged
        return _answer(None)
    return _answer(-warp[:, 2][::-1])


def simpleitk_mean_squares(case: Case) -> Answer:
    """Two metric masks, regular-step gradient descent, from the truth rounded."""
    return _simpleitk(case, lambda method: method.SetMetricAsMeanSquares())


def simpleitk_correlation(case: Case) -> Answer:
    """Two metric masks, correlation, the same optimiser and start."""
    return _simpleitk(case, lambda method: method.SetMetricAsCorrelation())


def _simpleitk(case: Case, set_metric: Callable) -> Answer:
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    fixed, moving = (sitk.GetImageFromArray(image) for image in _filled(case))
    mask = sitk.GetImageFromArray(case.mask.astype(np.uint8))
    method = sitk.ImageRegistrationMethod()
    set_metric(method)
    method.SetMetricFixedMask(mask)
    method.SetMetricMovingMask(mask)
    method.SetInterpolator(sitk.sitkBSpline3)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=0.25, minStep=1e-4, numberOfIterations=100, gradientMagnitudeTolerance=1e-12
    )
    method.SetInitialTransform(sitk.TranslationTransform(2, (-np.rint(case.shift)[::-1]).tolist()))
    try:
        found = method.Execute(fixed, moving)
    except RuntimeError:  # no pixel left in both masks, say
        return _answer(None)
    # it maps points of the fixed image onto points of the moving one, x before y
    return _answer(-np.array(found.GetParameters())[::-1])


PEERS: dict[str, tuple[str, str, Tool]] = {
    "scikit-image masked, whole pixels": ("skimage", "__version__", scikit_image_masked),
    "scikit-image upsampled, no masks": ("skimage", "__version__", scikit_image_upsampled),
    "pystackreg, no masks": ("pystackreg", "StackReg", pystackreg_translation),
    f"SimpleITK mean squares, {ROUNDED}": ("SimpleITK", "ImageRegistrationMethod", simpleitk_mean_squares),
    f"SimpleITK correlation, {ROUNDED}": ("SimpleITK", "ImageRegistrationMethod", simpleitk_correlation),
    f"OpenCV ECCWithMask, {ROUNDED}": ("cv2", "findTransformECCWithMask", opencv_ecc_rounded),
    "OpenCV ECCWithMask, from scratch": ("cv2", "findTransformECCWithMask", opencv_ecc_scratch),
    f"OpenCV ECCWithMask, {ROUNDED}, nothing filled in": (
        "cv2",
        "findTransformECCWithMask",
        opencv_ecc_unfilled,
    ),
}
"""By the name in the table: package, what it must have, and the tool."""
