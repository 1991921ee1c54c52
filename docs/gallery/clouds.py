"""A landscape under clouds, on two dates: the clouds moved, the land did not."""

import numpy as np
import scipy.ndimage
from examples import Pair, landscape, panels, real_pair, save

import maskreg


def simulated():
    """Return two dates of one landscape, (3, -4) px apart, each under clouds of its own."""
    scene = landscape((96, 96), seed=3) / 255
    images, masks = [], []
    for start, seed in (((10, 10), 4), ((7, 14), 5)):
        cut = scene[start[0] : start[0] + 76, start[1] : start[1] + 76].copy()
        noise = scipy.ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=cut.shape), 9)
        clear = noise < np.percentile(noise, 70)
        cut[~clear] = 1 - 0.1 * cut[~clear]
        images.append(cut)
        masks.append(clear)
    return Pair(*images, *masks)


pair = real_pair("eolearn_clouds_50") or simulated()
clear, cloudy, clear_mask, cloudy_mask = pair
answer = maskreg.register(clear, cloudy, clear_mask, cloudy_mask)
without = maskreg.register(clear, cloudy)
print(answer.status.label, answer.shift, answer.uncertainty, "without", without.status.label, without.shift)
assert answer.ok

moved, valid = maskreg.shift_image(cloudy, answer.shift, cloudy_mask)
both = valid & clear_mask
gain, offset = np.polyfit(clear[both], moved[both], 1)  # the light was another one
merged = np.where(valid, moved, gain * clear + offset)

figure, axes = panels(4)
for axis, image, shown, title in (
    (axes[0], clear, clear_mask, "one date"),
    (axes[1], cloudy, cloudy_mask, "another; clouds masked (blue)"),
    (axes[2], moved, valid, "moved by ({:.2f}, {:.2f}) px".format(*answer.shift)),
    (axes[3], merged, clear_mask | valid, "filled in from the first"),
):
    low, high = np.percentile(image[shown], (1, 99))
    axis.imshow(np.where(shown, image, np.nan), cmap="gray", vmin=low, vmax=high)
    axis.set_title(title)
    axis.set_facecolor("skyblue")
save(figure, "clouds")
