"""The pattern registered with its mask, moved, and what is left of the difference."""

import numpy as np
from examples import SEISMIC, chromium, panels, save

import maskreg

reference, moving, mask, moving_mask = chromium()
answer = maskreg.register(reference, moving, mask, moving_mask)
without = maskreg.register(reference, moving)
aligned, valid = maskreg.shift_image(moving, answer.shift, moving_mask)
both = mask & valid
before = np.where(mask, moving.astype(float) - reference, np.nan)
after = np.where(both, aligned - reference, np.nan)
assert answer.ok

most = np.percentile(np.abs(before[both]), 99)
figure, axes = panels(4)
for axis, image, title in (
    (axes[0], np.where(moving_mask, moving, np.nan), "masked image"),
    (axes[1], np.where(valid, aligned, np.nan), "moved by ({:.2f}, {:.2f}) px".format(*answer.shift)),
):
    axis.imshow(image, cmap="inferno", vmax=np.percentile(reference[mask], 99.5))
    axis.set_title(title)
for axis, image, title in ((axes[2], before, "difference before"), (axes[3], after, "difference after")):
    drawn = axis.imshow(image, cmap=SEISMIC, vmin=-most, vmax=most)
    axis.set_title(f"{title}: rms {np.sqrt(np.mean(image[both] ** 2)):.1f}")
for axis in axes:
    axis.set_facecolor("0.6")
figure.colorbar(drawn, ax=axes[3], shrink=0.75, label="counts")
print("with the mask", answer.shift, answer.uncertainty, "without", without.shift)
save(figure, "aligned")
