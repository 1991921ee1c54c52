"""Numbers: arrays in, values out. This floor knows no file, no progress bar, no database.

A pair's journey:

1. `image` checks it, makes its noise the same everywhere, takes its mean off and bins it (`image.prepared`).
2. `levels` looks at one coarse level, then at finer ones while a doubt is left: `search` finds the likeliest
   of all `lags` of a level, and chooses among them (`search.peak`).
3. `decide` says which of the chosen places is the right one: `place` refines each below the pixel
   (`subpixel`), with its `uncertainty`; rivals are compared (`doubt`); what does not move is found out
   (`standing`).
4. `judge` gives the status, and the reason in words.

`journey` walks these steps. `cleaned` walks it again without what the `detector` adds, lines, stripes, single
pixels, where these may have made the match; `clipped` without cosmic rays. `reference` and `masked_side` hold
what all frames share; `registrar` and `register` are what others call. `direct` is the slow truth beside it,
`plan` says with which sizes. Below all: which `frequencies` are signal, `transforms`, the `machine`. `ncc`
gives the masked NCC itself to the last digit, `aligned` what many aligned frames show together.
"""
