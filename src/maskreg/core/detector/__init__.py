"""What the detector adds to an image: noise, read noise, lines, stripes, single pixels, what is drawn."""
