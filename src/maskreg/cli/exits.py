"""Exit codes."""

DONE = 0
FAILED = 1
USAGE = 2
FLAGGED = 3
"""Done, but some frames are flagged, or not registered yet."""
INTERRUPTED = 130
"""Stopped by Ctrl-C or SIGTERM; what is done is kept."""
UNREAD = 141
"""Whoever read our output has gone; so a shell tells it of programs that SIGPIPE ends."""
