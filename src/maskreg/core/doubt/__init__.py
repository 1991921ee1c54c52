"""Whether the place is the right one: rivals compared, and what else could have made the match."""
