"""A series that is registered to the mean of its own aligned frames: the `rounds`, and `values` to add up."""
