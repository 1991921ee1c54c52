"""Two patterns hours apart, and their signed difference: the pattern moved, the beam-block did not."""

import numpy as np
from examples import SEISMIC, chromium, panels, save

reference, moving, mask, _ = chromium()
difference = moving.astype(float) - reference
top = np.percentile(reference[mask], 99.5)
most = np.percentile(np.abs(difference), 99.5)

figure, (left, middle, right) = panels(3)
left.imshow(reference, cmap="inferno", vmax=top)
left.set_title("reference")
middle.imshow(moving, cmap="inferno", vmax=top)
middle.set_title("hours later")
drawn = right.imshow(difference, cmap=SEISMIC, vmin=-most, vmax=most)
right.set_title("difference: pairs of red and blue")
figure.colorbar(drawn, ax=right, shrink=0.75, label="counts")
save(figure, "difference")
