"""Two pairs of images: one loses its answer to a high overlap threshold, the other to a low one."""

import clouds
import matplotlib.pyplot as plt
import numpy as np
import ultrasound
from examples import save

import maskreg

pairs = {"ultrasound": ultrasound.pair, "clouds": clouds.pair}
figure, axes = plt.subplots(2, 3, figsize=(10.5, 7.4), dpi=90, layout="constrained")
figure.get_layout_engine().set(w_pad=0.06, h_pad=0.12)
for (name, pair), (left, middle, right) in zip(pairs.items(), axes, strict=True):
    found = maskreg.correlate(*pair)
    rows, columns = found.lags
    defined = np.isfinite(found.ncc)
    part = found.overlap / found.overlap.max()
    extent = (columns[0], columns[-1], rows[-1], rows[0])

    def place(values, counted, lags=found.lags):
        """Return the lag of the greatest value among those counted."""
        best = np.unravel_index(np.argmax(np.where(counted, values, -np.inf)), values.shape)
        return tuple(int(axis[k]) for axis, k in zip(lags, best, strict=True))

    low, high = (place(found.ncc, defined & (part >= least)) for least in (0.05, 0.3))
    likeliest = place(found.likelihood, defined)
    print(name, "overlap from 5 %", low, "from 30 %", high, "likelihood", likeliest)

    left.imshow(found.ncc, cmap="RdBu_r", vmin=-1, vmax=1, extent=extent)
    middle.imshow(part, cmap="viridis", extent=extent)
    middle.contour(columns, rows, part, levels=[0.05, 0.3], colors="white", linestyles=["dotted", "solid"])
    right.imshow(np.sqrt(np.maximum(found.likelihood, 0)), cmap="inferno", extent=extent)
    for axis, at, marker, label in (
        (left, low, "s", "overlap ≥ 5 %"),
        (left, high, "^", "overlap ≥ 30 %"),
        (right, likeliest, "o", "greatest L"),
    ):
        axis.plot(
            at[1], at[0], marker, label=f"{label}: {at}", color="none", markeredgecolor="lime", ms=10, mew=1.5
        )
    for axis in (left, right):
        axis.legend(loc="upper left", fontsize=8, framealpha=0.85)
    left.set(title="greatest coefficient r", ylabel=f"{name}: row lag, px")
    middle.set(title="overlap n (lines: 5 %, 30 %)", xlabel="column lag, px")
    right.set(title="likelihood L (root)")
save(figure, "likelihood")
