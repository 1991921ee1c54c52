"""A file a format; which reader opens which file stands in `maskreg.frames.registry`."""
