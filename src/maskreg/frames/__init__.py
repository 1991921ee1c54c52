"""Reading frames: from a file, a folder, a pattern, a list of paths or arrays in memory.

The contents page. `source` holds the contract, `frame` what a frame is, `locate` which files
an argument means and in which order, `registry` which reader opens which file, `formats` a file
a format; `metadata` holds the columns that come with frames. Nothing here ever opens a file for writing.
"""

from maskreg.frames.open import as_source, open_frames
from maskreg.frames.source import FrameSource

__all__ = ["FrameSource", "as_source", "open_frames"]
