"""Writing what survives: whole files under their final names, images, and the record of a run."""

from maskreg.outputs.atomic import atomic_write, atomic_write_bytes
from maskreg.outputs.record import Entry, FileState, Record, read_files, read_record
from maskreg.outputs.stack import (
    STACK_SUFFIXES,
    Description,
    Layer,
    Shards,
    StackWriter,
    open_stack,
    sibling,
)

__all__ = [
    "STACK_SUFFIXES",
    "Description",
    "Entry",
    "FileState",
    "Layer",
    "Record",
    "Shards",
    "StackWriter",
    "atomic_write",
    "atomic_write_bytes",
    "open_stack",
    "read_files",
    "read_record",
    "sibling",
]
