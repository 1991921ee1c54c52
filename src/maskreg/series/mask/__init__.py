"""The mask of a series, found from the series itself: what stays still while the pattern moves.

Frames are `sampled` and `placed`, again and again, until `find_mask` is sure of what stays still.
"""
