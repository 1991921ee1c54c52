"""What the rows tell when all are there: these files see rows alone, and no frame.

`drift` finds what contradicts its neighbours, where the pattern jumps, and what lies between good frames;
`closing` makes the table of that. `copies` finds frames that were delivered again.
"""
