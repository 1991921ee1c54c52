"""Writing what survives: whole files under their final names, images, and the record of a run."""

from maskreg.outputs.atomic import atomic_write, atomic_write_bytes
from maskreg.outputs.description import Description, Layer
from maskreg.outputs.entry import Entry
from maskreg.outputs.record import FileState, Record, ensure_unused, read_files, read_record, remove_record
from maskreg.outputs.stack import (
    STACK_SUFFIXES,
    Shards,
    StackWriter,
    open_stack,
    sibling,
)
from maskreg.outputs.writable import ensure_file_writable, ensure_folder_writable

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
    "ensure_file_writable",
    "ensure_folder_writable",
    "ensure_unused",
    "open_stack",
    "read_files",
    "read_record",
    "remove_record",
    "sibling",
]
