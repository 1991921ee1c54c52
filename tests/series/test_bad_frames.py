"""A folder with every kind of bad frame: each is a row with its reason, and the rest goes on."""

from __future__ import annotations

import csv
import os
import struct
from collections import Counter

import numpy as np
import pytest
import tifffile

from maskreg.cli import main
from maskreg.series import align_run

SHAPE = (72, 90)


def tiff(image):
    return lambda path: tifffile.imwrite(path, image)


def content(data):
    return lambda path: path.write_bytes(data)


def cut(image, length):
    def write(path):
        tifffile.imwrite(path, image)
        path.write_bytes(path.read_bytes()[:length])

    return write


def absurd_tiff(path):
    """A header that claims 2**31 by 2**31 pixels, in a file of a few bytes."""
    tags = [
        (256, 2**31),
        (257, 2**31),
        (258, 16),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, 2**31),
        (279, 8),
    ]
    directory = struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags
    )
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 8) + directory + struct.pack("<I", 0))


def absurd_npy(path):
    header = b"{'descr': '<u2', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header + b"\n")


def npy(array):
    return lambda path: np.save(path, array, allow_pickle=True)


def endless_link(path):
    """A link that leads to itself is no file, and so no frame."""
    path.symlink_to(path.name)


def bad_frames(good):
    """Return how to write each bad frame, its possible statuses and a word of its reason, by its name."""
    rng = np.random.default_rng(8)
    noise = rng.normal(1000, 30, SHAPE)
    half_nan = np.where(np.arange(SHAPE[1]) < 30, np.nan, good.astype(np.float32))
    return {
        "p01 truncated.tif": (cut(good, 5000), "unreadable", "cut short"),
        "p02 truncated header.tif": (cut(good, 6), "unreadable", "TIFF"),
        "p03 empty.tif": (content(b""), "unreadable", "TIFF"),
        "p04 empty.npy": (content(b""), "unreadable", "NPY"),
        "p05 text.tif": (content(b"these are notes, not an image\n" * 20), "unreadable", "TIFF"),
        "p06 text.npy": (content(b"notes"), "unreadable", "NPY"),
        "p07 shape.tif": (tiff(good[:50]), "bad_shape", "(50, 90)"),
        "p08 row.npy": (npy(good[0]), "unreadable", "(90,)"),
        "p09 colours.tif": (tiff(np.stack([good] * 3, axis=-1)), "unreadable", "axes"),
        "p10 complex.npy": (npy(good.astype(complex)), "unreadable", "complex"),
        "p11 objects.npy": (npy(np.array([[{}, None]], dtype=object)), "unreadable", "objects"),
        "p12 texts.npy": (npy(np.full(SHAPE, "dark")), "unreadable", "real numbers"),
        "p13 nan.tif": (tiff(np.full(SHAPE, np.nan, np.float32)), "no_overlap flat", ""),
        "p14 infinite.tif": (tiff(np.full(SHAPE, np.inf, np.float32)), "no_overlap flat", ""),
        "p15 black.tif": (tiff(np.zeros(SHAPE, np.uint16)), "flat", ""),
        "p16 constant.tif": (tiff(np.full(SHAPE, 1234, np.uint16)), "flat", ""),
        "p17 saturated.tif": (tiff(np.full(SHAPE, 65535, np.uint16)), "flat", ""),
        "p18 noise.tif": (tiff(noise.astype(np.uint16)), "weak", ""),
        "p19 header.tif": (absurd_tiff, "unreadable", ""),
        "p20 header.npy": (absurd_npy, "unreadable", "claims"),
        "p21 endless link.tif": (endless_link, None, ""),
        "p22 <b>&amp; 'markup' \"x\", a.tif": (content(b""), "unreadable", "TIFF"),
        "p23 line\nbreak\ttab.tif": (content(b""), "unreadable", "TIFF"),
        "p24 line\\nbreak.tif": (content(b""), "unreadable", "TIFF"),
        "p25 ünïcødé 雪 🎇 \u202e\u2028.tif": (content(b""), "unreadable", "TIFF"),
        os.fsdecode(b"p26 latin \xe4.tif"): (content(b""), "unreadable", "TIFF"),
        # what is whole in part, or of another kind of number, is no bad frame
        "g1 some nan.tif": (tiff(half_nan.astype(np.float32)), "ok", "trusted"),
        "g2 float.tif": (tiff(good.astype(np.float64)), "ok", "trusted"),
        "g3 big endian.npy": (npy(good.astype(">i4")), "ok", "trusted"),
        "g4 line\nbreak.tif": (tiff(good), "ok", "trusted"),
    }


@pytest.fixture
def spoilt(folder, frames):
    """The series with bad frames in its midst, and what becomes of them."""
    cases = bad_frames(frames[1])
    for name, (write, _, _) in cases.items():
        write(folder / name)
    return {name: case for name, case in cases.items() if case[1] is not None}


def rows_of(run):
    with (run / "shifts.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_each_is_a_row_with_its_status_and_reason_and_the_rest_goes_on(folder, spoilt, tmp_path, capsys):
    resource = pytest.importorskip("resource")

    def memory():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    align_run(folder, tmp_path / "before", workers=1)  # whatever is compiled or loaded on the way
    before = memory()
    code = main(["align", str(folder), "-o", str(tmp_path / "run"), "--workers", "2"])
    assert memory() - before < 200_000  # kB: no memory was taken on a header's word
    out, err = capsys.readouterr()
    assert code == 3
    assert "Traceback" not in err
    rows = rows_of(tmp_path / "run")
    found = {row["source"]: row for row in rows}
    assert len(found) == len(rows) == 8 + len(spoilt)
    for name, (_, statuses, word) in spoilt.items():
        text = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
        text = text.replace("\u2028", "\\u2028").replace("\udce4", "\\udce4")
        row = found[text]
        assert row["status"] in statuses.split(), (name, row)
        assert word in row["reason"], (name, row)
        assert row["reason"].isprintable()
        assert str(folder) not in row["reason"]
        if row["status"] != "ok":
            assert row["shift_row_px"] == row["shift_col_px"] == "nan"
    assert [found[f"f{n}.tif"]["status"] for n in range(8)] == ["reference"] + ["ok"] * 7
    assert len((tmp_path / "run" / "shifts.csv").read_text().splitlines()) == 1 + len(rows)
    # the summary counts them by kind
    for status, count in Counter(row["status"] for row in rows).items():
        assert f"{count} {status}" in out.splitlines()[0]


def test_the_same_bytes_whatever_the_workers(folder, spoilt, tmp_path):
    tables = []
    for workers in (1, 3):
        align_run(folder, tmp_path / f"run{workers}", reference="first", workers=workers)
        tables.append((tmp_path / f"run{workers}" / "shifts.csv").read_bytes())
    assert tables[0] == tables[1]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_a_row(folder, tmp_path):
    (folder / "f3.tif").chmod(0)
    assert align_run(folder, tmp_path / "run").status[3].label == "unreadable"


def test_a_frame_that_fails_in_the_system_is_a_row(folder, tmp_path, monkeypatch):
    original = tifffile.TiffFile

    def failing(path, *arguments, **options):
        if "f3" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return original(path, *arguments, **options)

    monkeypatch.setattr(tifffile, "TiffFile", failing)
    row = align_run(folder, tmp_path / "run").table()[3].registration
    assert row.status.label == "unreadable"
    assert row.detail == "is no readable TIFF file: Permission denied"
