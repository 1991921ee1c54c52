"""An image and its mask made ready: checked, stabilised, its mean off, binned, filled under the mask."""
