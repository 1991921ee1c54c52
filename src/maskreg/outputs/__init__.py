"""Writing what survives: whole files under their final names, and the record of a run."""

from maskreg.outputs.atomic import atomic_write
from maskreg.outputs.record import Entry, FileState, Record, read_record

__all__ = ["Entry", "FileState", "Record", "atomic_write", "read_record"]
