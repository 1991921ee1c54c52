"""The mask of a series, found from the series itself: what stays still while the pattern moves.

`sampled` frames are `placed`, again and again, until it is `found` what stands still; `doubts` tell what a
user should look at. `find_mask` is what others call.
"""
