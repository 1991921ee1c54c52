"""A series that is registered to the mean of its own aligned frames.

`rounds` adds the frames up (`mean_sum`) and registers each to the sum less its own part (`register`), a few
times. What is added up are the `values` of frames, electrons where these can be told.
"""
