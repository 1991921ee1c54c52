"""An image and its copy moved by (-50, 0): the peak of their cross-correlation."""

import numpy as np
from examples import landscape, panels, real_pair, save

import maskreg

pair = real_pair("seed_fig1_camera")
image = landscape((512, 512)) if pair is None else pair.reference
moved = np.roll(image, (-50, 0), axis=(0, 1)).astype(float)
moved[-50:] = np.nan  # what came into view is unknown: NaN is ignored

correlation = maskreg.correlate(image, moved, max_shift=100)
rows, columns = correlation.lags
best = np.unravel_index(np.nanargmax(correlation.likelihood), correlation.ncc.shape)
peak = rows[best[0]], columns[best[1]]
answer = maskreg.register(image, moved)
assert peak == (50, 0)
np.testing.assert_allclose(answer.shift, peak, atol=1e-3)

figure, (left, middle, right) = panels(3)
left.imshow(image, cmap="gray")
left.set_title("image")
middle.imshow(moved, cmap="gray")
middle.set_title("copy moved by (-50, 0)")
right.imshow(correlation.ncc, cmap="inferno", extent=(columns[0], columns[-1], rows[-1], rows[0]))
right.plot(peak[1], peak[0], "o", markersize=14, markerfacecolor="none", markeredgecolor="cyan")
right.set(
    xticks=[-100, 0, 100], yticks=[-100, -50, 0, 50, 100], xlabel="column lag, px", ylabel="row lag, px"
)
right.set_title("masked NCC: peak at (50, 0)")
save(figure, "shifted_copy")
