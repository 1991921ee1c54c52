"""What many aligned frames show together: their mean as a reference, the detector, what never moves."""
