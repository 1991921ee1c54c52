"""Numbers: arrays in, values out. This floor knows no file, no progress bar, no database.

A pair's journey: `images` (check) -> `stabilise` -> `prepared`, with its `pyramid` -> `search` (`detail`,
`spectra`, `correlate`, `scores`) -> `peak` -> `place` (`settle`, `refine`) -> `journey` (status and doubt).
`registrar` walks it; `reference` and `masked_side` hold what all frames share, `plan` says with which sizes,
`direct` is the slow truth beside it.
"""
