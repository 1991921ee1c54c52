"""Measurements, printed as plain tables; nothing is asserted. Run one with ``python -m benchmarks.NAME``."""
