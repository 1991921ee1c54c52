"""Fourier transforms in compiled code, over vectors of eight numbers side by side."""
