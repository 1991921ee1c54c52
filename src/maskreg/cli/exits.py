"""Exit codes."""

DONE = 0
FAILED = 1
USAGE = 2
FLAGGED = 3
"""Done, but some frames are flagged."""
INTERRUPTED = 130
"""Stopped by Ctrl-C or SIGTERM; what is done is kept."""
