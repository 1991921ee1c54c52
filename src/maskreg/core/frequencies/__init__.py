"""Which spatial frequencies of an image tell where it is, and which are noise."""
