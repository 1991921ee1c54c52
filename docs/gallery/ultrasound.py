"""Ultrasound: only the fan holds an image, and the two fans overlap in part."""

import numpy as np
from examples import Pair, landscape, panels, real_pair, save

import maskreg


def fan(shape, apex):
    """Return a mask of the sector that a probe at `apex` sees."""
    rows, columns = np.indices(shape)
    angle = np.arctan2(columns - apex[1], rows - apex[0])
    distance = np.hypot(rows - apex[0], columns - apex[1])
    return (np.abs(angle) < 0.6) & (distance > 60) & (distance < 420)


def simulated():
    """Return two fans onto one landscape, (130, 130) px apart."""
    scene = landscape((640, 740))
    masks = [fan((485, 587), (10, 290)) for _ in range(2)]
    first, second = scene[:485, :587], scene[130:615, 130:717]
    return Pair(*(np.where(m, x, 0) for m, x in zip(masks, (first, second), strict=True)), *masks)


pair = real_pair("padfield_X-130Y130") or simulated()
answer = maskreg.register(*pair)
print(answer.status.label, answer.shift, answer.overlap)
assert answer.ok

rows, columns = (max(0, round(s)) for s in answer.shift)
canvas = np.zeros((3, pair.reference.shape[0] + abs(rows), pair.reference.shape[1] + abs(columns)))
canvas[0, : pair.reference.shape[0], : pair.reference.shape[1]] = pair.reference
canvas[1, rows : rows + pair.moving.shape[0], columns : columns + pair.moving.shape[1]] = pair.moving

figure, (left, middle, right) = panels(3)
left.imshow(np.where(pair.reference_mask, pair.reference, np.nan), cmap="gray")
left.set_title("reference")
middle.imshow(np.where(pair.moving_mask, pair.moving, np.nan), cmap="gray")
middle.set_title("moving")
right.imshow(np.clip(canvas[[0, 1, 0]] / 255, 0, 1).transpose(1, 2, 0))
right.set_title("moved by ({:.0f}, {:.0f}) px".format(*answer.shift))
for axis in (left, middle):
    axis.set_facecolor("0.75")
save(figure, "ultrasound")
