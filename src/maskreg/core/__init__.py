"""Numbers: arrays in, values out. This floor knows no file, no progress bar, no database.

A pair's journey:

1. `image` checks it, makes its noise the same everywhere, takes its mean off and bins it (`image.prepared`).
2. `search` finds the likeliest `lags`, on binned images first, and chooses among them (`search.peak`).
3. `place` settles and refines the choice below the pixel (`subpixel`) and says how far off it may be
   (`uncertainty`); what does not move with the scene is found out (`standing`).
4. `journey` walks these steps and judges: whether another place, or something else than the scene, makes as
   good a match (`doubt`), and which status the answer has.

`reference` and `masked_side` hold what all frames share, `registrar` and `register` are what others call.
`direct` is the slow truth beside it, `plan` says with which sizes. Below all of them: what tells a signal from noise
(`frequencies`, `detector`), `transforms` and the `machine`. `ncc` gives the masked NCC itself, to the last
digit; `aligned` what many aligned frames show together.
"""
