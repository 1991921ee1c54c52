"""Masks: boolean arrays, True = valid, use this pixel.

The contents page. `files` reads and writes them, `shapes` draws what is to be ignored, `grow`
widens it, `combine` joins all that was asked for and says in words what came of it, `editing` is
a mask that is drawn step by step.
"""

from maskreg.masks.combine import build_mask, describe_mask, mask_warning
from maskreg.masks.editing import MaskEditor
from maskreg.masks.files import load_mask, save_mask
from maskreg.masks.growing import grow

__all__ = ["MaskEditor", "build_mask", "describe_mask", "grow", "load_mask", "mask_warning", "save_mask"]
