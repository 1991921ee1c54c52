"""Sums, NCC and likelihood at every lag, and the likeliest among them."""
