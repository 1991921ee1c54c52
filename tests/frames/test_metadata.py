"""Metadata from file names, from a table, and the order of time."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import tifffile
from frame_source_contract import FrameSourceContract, some_frames
from numpy.typing import NDArray

from maskreg.errors import FrameError, InputError
from maskreg.frames import FrameSource, as_source, open_frames

FRAMES = some_frames(4, 6, 9)
NAMES = ("1_0.tif", "1_-2.5.tif", "2_1e1.tif", "2_-2.5.tif")  # natural order


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    for name, frame in zip(NAMES, FRAMES, strict=True):
        tifffile.imwrite(folder / name, frame)
    return folder


def rows(source: FrameSource) -> list[dict[str, object]]:
    return [source.metadata(index) for index in range(len(source))]


class TestDescribedFrames(FrameSourceContract):
    """In the order of time, without other columns than the contract allows."""

    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        np.save(folder / "f.npy", frames[::-1])
        lines = [f"f.npy[{index}],{-index}" for index in range(len(frames))]
        (folder / "times.csv").write_text("\n".join(["file,time", *lines]))
        return open_frames(folder / "f.npy", metadata=folder / "times.csv")

    def test_metadata_is_a_dictionary_per_frame(self, source: FrameSource) -> None:
        assert rows(source) == [{"time": time} for time in range(-11, 1)]


def test_a_pattern_gives_columns_of_its_kinds(scan: Path) -> None:
    source = open_frames(scan, pattern="{scan:d}_{delay:f}.tif")
    assert rows(source) == [
        {"scan": 1, "delay": 0.0},
        {"scan": 1, "delay": -2.5},
        {"scan": 2, "delay": 10.0},
        {"scan": 2, "delay": -2.5},
    ]
    assert isinstance(source.metadata(1)["delay"], float)


def test_a_pattern_without_kinds_gives_numbers_where_all_are(scan: Path) -> None:
    assert rows(open_frames(scan, pattern="{scan}_{delay}.tif"))[0] == {"scan": 1, "delay": 0.0}
    (scan / "1_0.tif").rename(scan / "1_off.tif")
    assert {row["delay"] for row in rows(open_frames(scan, pattern="{scan}_{delay}.tif"))} == {
        "-2.5",
        "off",
        "1e1",
    }


def test_underscores_make_no_number(tmp_path: Path) -> None:
    for name in ("a1_5.npy", "a15.npy"):
        np.save(tmp_path / name, np.eye(4))
    assert rows(open_frames(tmp_path, pattern="a{delay}.npy")) == [{"delay": "1_5"}, {"delay": "15"}]


def test_stars_braces_and_folders_in_a_pattern(scan: Path) -> None:
    assert rows(open_frames(scan, pattern="*_{delay:f}.*"))[1] == {"delay": -2.5}
    (scan / "1_0.tif").rename(scan / "{7}.tif")
    assert rows(open_frames(scan / "{7}.tif", pattern="{{{n:d}}}.tif")) == [{"n": 7}]
    assert rows(open_frames(f"{scan.parent}/*/2_1e1.tif", pattern="{what}/{n:d}_*")) == [
        {"what": "run", "n": 2}
    ]


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("{scan:d}_{delay:f", r"has a single '\{'"),
        ("scan}_1.tif", r"has a single '\}'"),
        ("{scan:x}.tif", r"\{scan:x\} asks for the kind 'x'; it is d \(a whole number\), f"),
        ("{:d}.tif", r"\{:d\} has no name"),
        ("{a b}.tif", r"\{a b\} has no name"),
        ("{a}_{a}.tif", "names the column 'a' twice"),
        ("*.tif", "names no column; it looks like"),
        ("", "names no column"),
    ],
)
def test_what_is_wrong_with_a_pattern_is_said(scan: Path, pattern: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        open_frames(scan, pattern=pattern)


def test_the_file_that_does_not_fit_is_named(scan: Path) -> None:
    (scan / "2_1e1.tif").rename(scan / "dark.tif")
    with pytest.raises(FrameError, match=r"^dark\.tif: this name does not fit the pattern '\{scan:d\}_"):
        open_frames(scan, pattern="{scan:d}_{delay:f}.tif")


@pytest.mark.parametrize(
    ("pattern", "advice"),
    [
        ("scan/{scan:d}_{delay:f}.tif", "names begin behind the folder that was given: try '{scan:d}_"),
        ("{scan:d}_{delay:d}.tif", r"its delay is '[^']+', no whole number: try \{delay:f\}$"),
        (
            "{scan:d}_{delay:f}",
            r"\{delay:f\} is a number, and '[^']+\.tif' is none: write what stands beside it",
        ),
        ("run_{scan:d}_{delay}.tif", r"name those that fit: 'run_\*_\*\.tif'$"),
    ],
)
def test_what_does_not_fit_a_pattern_is_advised(scan: Path, pattern: str, advice: str) -> None:
    with pytest.raises(FrameError, match=advice):
        open_frames(scan, pattern=pattern)


def test_all_frames_of_a_stack_share_the_metadata_of_its_name(tmp_path: Path) -> None:
    np.save(tmp_path / "scan_7.npy", FRAMES)
    assert rows(open_frames(tmp_path / "scan_7.npy", pattern="scan_{n:d}.npy")) == [{"n": 7}] * 4


def test_a_table_gives_columns_by_file_name(
    scan: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = tmp_path / "log.csv"
    lines = ["power, file ,note", "3,run/1_0.tif,", "4.5,1_-2.5.tif,a", "", ",2_1e1.tif,b"]
    table.write_text("\ufeff" + "\n".join(lines), encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        source = open_frames(f"{scan.parent}/*/*.tif", metadata=table)
    assert rows(source) == [
        {"power": 3.0, "note": None},
        {"power": 4.5, "note": "a"},
        {"power": None, "note": "b"},
        {"power": None, "note": None},
    ]
    assert "log.csv has no line about 1 frames, the first is run/2_-2.5.tif" in caplog.text


def test_names_with_the_separator_of_what_is_inside_are_names(tmp_path: Path) -> None:
    for number in range(3):
        np.save(tmp_path / f"a::{number}.npy", np.full((2, 4, 5) if number == 2 else (4, 5), number))
    (tmp_path / "log.csv").write_text("file,t\na::0.npy,5\na::1.npy,6\na::2.npy,7\n")
    expected = [{"n": 0, "t": 5}, {"n": 1, "t": 6}, {"n": 2, "t": 7}, {"n": 2, "t": 7}]
    for what in (tmp_path, tmp_path / "a::*.npy", f"{tmp_path}/a::[0-9].npy"):
        source = open_frames(what, pattern="a::{n:d}.npy", metadata=tmp_path / "log.csv")
        assert rows(source) == expected


def test_the_table_counts_before_the_pattern(scan: Path, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("file,scan\n" + "\n".join(f"{name},9" for name in NAMES))
    source = open_frames(scan, pattern="{scan:d}_{delay:f}.tif", metadata=tmp_path / "log.csv")
    assert source.metadata(1) == {"scan": 9, "delay": -2.5}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it has no column 'file'"),
        ("frame,delay\n1,2", "it has no column 'file' .* but frame, delay"),
        (f"frame,{'delay_,' * 30}\n1,2", "line 2 has 2 cells"),
        (f"frame {'delay ' * 30}\n1 2", r"it has no column .* but frame delay .*\.\.\."),
        ("file;delay\n1_0.tif;1,5", "its columns are separated by semicolons; save the table with commas"),
        ("file\tdelay\n1_0.tif\t1.5", "its columns are separated by tabulators"),
        ("\nfile,delay\n\n1_0.tif", "line 4 has 1 cells, the header has 2"),
        ("file,delay\n1_0.tif", "line 2 has 1 cells, the header has 2"),
        ("file,delay\n1_0.tif,1\n1_0.tif,2", "there are two lines about '1_0.tif'"),
        ("file,a,a\n1_0.tif,1,2", "two columns have one name"),
        ("file,a\nother.tif,1", r"no line is about 1_0\.tif, nor .*; its first line is about 'other\.tif'$"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(scan: Path, tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(InputError, match=rf"log\.csv: {why}"):
        open_frames(scan, metadata=tmp_path / "log.csv")


def test_a_table_of_another_encoding_is_told(scan: Path, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_bytes("file,t µs\n1_0.tif,1".encode("latin-1"))
    with pytest.raises(InputError, match=r"log\.csv: is no text in UTF-8; save the table as CSV in UTF-8"):
        open_frames(scan, metadata=tmp_path / "log.csv")


def test_a_table_that_is_missing_is_named(scan: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.csv: this table cannot be read: No such file"):
        open_frames(scan, metadata="gone.csv")


@pytest.mark.parametrize(
    "times", [(3, 1, 2, 0), ("2026-05-18T16:00", "2026-05-18T14:00", "2026-05-18T15:00", "")]
)
def test_frames_come_in_the_order_of_time_and_those_without_come_last(
    scan: Path, tmp_path: Path, times: tuple[object, ...]
) -> None:
    lines = [f"{name},{time}" for name, time in zip(NAMES, times, strict=True)]
    (tmp_path / "log.csv").write_text("\n".join(["file,Time", *lines]))
    source = open_frames(scan, metadata=tmp_path / "log.csv")
    order = [3, 1, 2, 0] if times[0] == 3 else [1, 2, 0, 3]
    assert [source.name(index) for index in range(4)] == [NAMES[place] for place in order]
    np.testing.assert_array_equal(source.read(1), FRAMES[order[1]])


@pytest.mark.parametrize("name", ["f_2026-05-18T{}-51-49.npy", "f_2026-05-18_{}-51-49.npy"])
def test_a_time_of_day_in_a_name_needs_no_colons(tmp_path: Path, name: str) -> None:
    for hour in ("09", "21", "16"):
        np.save(tmp_path / name.format(hour), np.zeros((4, 5)))
    source = open_frames(tmp_path, pattern="f_{time}.npy")
    assert [source.name(i) for i in range(3)] == [name.format(hour) for hour in ("09", "16", "21")]


@pytest.mark.parametrize(
    ("times", "why"),
    [
        (("1", "noon", "2", "3"), r"1_0\.tif: its time is '1'; a time .* tell another time by --meta"),
        (("2026-05-18", "2026-05-18T10:00Z", "", ""), "with and without a time zone"),
    ],
)
def test_times_that_cannot_be_compared_are_an_error(
    scan: Path, tmp_path: Path, times: tuple[str, ...], why: str
) -> None:
    lines = [f"{name},{time}" for name, time in zip(NAMES, times, strict=True)]
    (tmp_path / "log.csv").write_text("\n".join(["file,time", *lines]))
    with pytest.raises(InputError, match=why):
        open_frames(scan, metadata=tmp_path / "log.csv")


def test_the_time_that_a_file_tells_orders_its_frames(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["frames"], file["timestamp"] = FRAMES, [2.0, 0.0, 3.0, 1.0]
    source = open_frames(tmp_path / "f.h5")
    assert [source.name(index) for index in range(4)] == ["f.h5[1]", "f.h5[3]", "f.h5[0]", "f.h5[2]"]
    assert as_source(source) is source


def test_coordinates_of_single_frame_files_are_kept_without_opening_them_again(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    for number in range(3):
        with h5py.File(tmp_path / f"f{number}.h5", "w") as file:
            file["frames"], file["delay"] = FRAMES[number : number + 1], [float(number)]
    source = open_frames(tmp_path)
    (tmp_path / "f1.h5").unlink()
    assert rows(source) == [{"delay": 0.0}, {"delay": 1.0}, {"delay": 2.0}]
