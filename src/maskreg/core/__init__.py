"""Numbers: arrays in, values out. This floor knows no file, no progress bar, no database.

The journey of a pair is the order of the files: `images` (check) -> `stabilise` -> `pyramid` ->
`detail` -> `spectra` -> `correlate` -> `search` -> `peak` -> `settle` -> `refine` -> `uncertainty`;
`registrar` walks it, `plan` says with which sizes, `direct` is the slow truth beside it.
"""
