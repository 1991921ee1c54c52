"""What is settled before the first row: the reference, the first look, and how many frames at once.

`reference` is the image that all frames are registered to, by a `condition` on metadata too. `first_look`
tells gain and pedestal, and what never moves. `prepared` checks both with mask, dark and flat, and is what
registers the frames. `memory` says how many of them at once.
"""
