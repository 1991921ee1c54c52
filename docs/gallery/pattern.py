"""A diffraction pattern of polycrystalline chromium, and its beam-block."""

import numpy as np
from examples import chromium, panels, save

reference, _, mask, _ = chromium()
top = np.percentile(reference[mask], 99.5)

figure, (left, right) = panels(2)
left.imshow(reference, cmap="inferno", vmax=top)
left.set_title("chromium, with its beam-block")
right.imshow(np.where(mask, reference, np.nan), cmap="inferno", vmax=top)
right.set_facecolor("0.6")
right.set_title(f"the mask ignores {1 - mask.mean():.1%} (grey)")
save(figure, "pattern")
