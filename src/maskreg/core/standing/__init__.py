"""What stands still on the detector while the scene moves, and what it makes of a shift."""
