"""Every lag of the binned images, then finer ones: the likeliest places."""
