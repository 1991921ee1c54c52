"""The masked NCC to the last digit, as its definition says: of every lag, or the greatest, proven."""
