"""A quarter of the pixels is corrupt: with a mask of them nothing is lost."""

import numpy as np
from examples import Pair, landscape, panels, real_pair, save

import maskreg


def simulated():
    """Return an image and a copy moved by (-22, 5), of which a quarter of the pixels is noise."""
    rng = np.random.default_rng(7)
    scene = landscape((576, 576))
    reference, moving = scene[32:544, 32:544], scene[54:566, 27:539].copy()
    valid = rng.random(moving.shape) > 0.25
    moving[~valid] = rng.uniform(0, 255, np.count_nonzero(~valid))
    return Pair(reference, moving, np.ones(reference.shape, bool), valid)


pair = real_pair("camera_corrupt25") or simulated()
answer = maskreg.register(*pair)
print(answer.status.label, answer.shift, answer.score)
assert answer.ok

figure, (left, middle, right) = panels(3)
left.imshow(pair.reference, cmap="gray", vmin=0, vmax=255)
left.set_title("reference")
middle.imshow(pair.moving, cmap="gray", vmin=0, vmax=255)
middle.set_title(f"moving: {1 - pair.moving_mask.mean():.0%} of the pixels corrupt")
shown = np.where(pair.moving_mask, pair.moving, np.nan)
right.imshow(shown, cmap="gray", vmin=0, vmax=255)
right.set_facecolor("tab:red")
right.set_title("mask (red); shift ({:.2f}, {:.2f}) px".format(*answer.shift))
save(figure, "random_mask")
