from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from frame_source_contract import FrameSourceContract, some_frames
from numpy.typing import NDArray

from maskreg.errors import FrameError, FrameShapeError, InputError, InputTypeError
from maskreg.frames import FrameSource, as_source, locate, open_frames
from maskreg.frames.locate import means
from maskreg.series import align_run
from maskreg.series.watch import watch_run

FRAMES = some_frames(12, 6, 9)


def fill(folder: Path, frames: NDArray = FRAMES) -> None:
    """Write one TIFF file a frame: f0.tif, f1.tif, ... f10.tif, f11.tif."""
    for index, frame in enumerate(frames):
        tifffile.imwrite(folder / f"f{index}.tif", frame)


def names(source: FrameSource) -> list[str]:
    return [source.name(index) for index in range(len(source))]


class TestFolderOfTiff(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        fill(folder, frames)
        return open_frames(folder)


class TestFolderOfNpy(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        for index, frame in enumerate(frames):
            np.save(folder / f"f{index}.npy", frame)
        return open_frames(str(folder))


class TestFolderOfStacks(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        parts = frames[:2], frames[2:-1], frames[-1:]
        tifffile.imwrite(folder / "scan_2.tif", parts[0], photometric="minisblack")
        np.save(folder / "scan_9.npy", parts[1])
        tifffile.imwrite(folder / "scan_10.tif", parts[2], compression="zlib", photometric="minisblack")
        return open_frames(folder)


class TestPattern(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        fill(folder, frames)
        np.save(folder / "g.npy", frames[0])
        return open_frames(f"{folder}/f*.tif")


class TestListOfPaths(FrameSourceContract):
    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        fill(folder, frames)
        return open_frames(sorted(folder.glob("*.tif"), reverse=True))


def test_names_are_files_in_natural_order_and_indices_in_stacks(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "f10.tif", FRAMES[0])
    tifffile.imwrite(tmp_path / "F9.tif", FRAMES[:2])
    np.save(tmp_path / "f2.npy", FRAMES[0])
    assert names(open_frames(tmp_path)) == ["f2.npy", "F9.tif[0]", "F9.tif[1]", "f10.tif"]


def test_a_list_in_another_order_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """``zip(files, alignment.shifts)`` gave a file the shift of another, without a word."""
    fill(tmp_path)
    files = [tmp_path / f"f{number}.tif" for number in range(12)]
    assert (
        names(open_frames(files)) == names(open_frames([*files, files[0]])) == [file.name for file in files]
    )
    open_frames([tmp_path / "f*.tif", files[0]])
    assert caplog.messages == []
    assert names(open_frames(sorted(files)))[:3] == ["f0.tif", "f1.tif", "f2.tif"]
    assert "not in that of the list: the first is f0.tif" in caplog.text


def test_other_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    fill(tmp_path, FRAMES[:3])
    (tmp_path / "notes.txt").write_text("scan 3: beam was low")
    (tmp_path / "._f1.tif").write_bytes(b"written by another system")
    (tmp_path / "f7.tif").mkdir()
    assert names(open_frames(tmp_path)) == ["f0.tif", "f1.tif", "f2.tif"]
    assert names(open_frames(tmp_path / "*")) == ["f0.tif", "f1.tif", "f2.tif"]


def test_suffixes_are_known_in_capitals(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "A.TIF", FRAMES[0])
    np.testing.assert_array_equal(open_frames(tmp_path).read(0), FRAMES[0])


def test_a_broken_file_is_its_own_problem_even_the_first(tmp_path: Path) -> None:
    fill(tmp_path, FRAMES[:5])
    (tmp_path / "f0.tif").write_bytes(b"")
    (tmp_path / "f2.tif").write_bytes(b"no image at all")
    tifffile.imwrite(tmp_path / "f3.tif", FRAMES[3][:, :4])
    source = open_frames(tmp_path)
    assert (len(source), source.shape) == (5, (6, 9))
    assert source.metadata(0) == {}
    for index in (0, 2):
        with pytest.raises(FrameError, match=rf"^f{index}\.tif: is no readable TIFF file"):
            source.read(index)
    with pytest.raises(FrameShapeError, match=r"f3\.tif: shape \(6, 4\), the reference has \(6, 9\)"):
        source.read(3)
    for index in (1, 4):
        np.testing.assert_array_equal(source.read(index), FRAMES[index])


def test_a_file_that_vanishes_is_its_own_problem(tmp_path: Path) -> None:
    fill(tmp_path, FRAMES[:3])
    source = open_frames(tmp_path)
    (tmp_path / "f1.tif").unlink()
    with pytest.raises(FrameError, match=r"^f1\.tif: .*No such file or directory$"):
        source.read(1)
    np.testing.assert_array_equal(source.read(2), FRAMES[2])


def test_a_folder_of_rubbish_cannot_be_opened(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(FrameError, match=r"none of the 2 frames can be read; the first is a\.tif: "):
        open_frames(tmp_path)


class TestPatterns:
    @pytest.fixture(autouse=True)
    def tree(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for scan in ("scan2", "scan10"):
            (tmp_path / "run" / scan).mkdir(parents=True)
            fill(tmp_path / "run" / scan, FRAMES[:2])
        monkeypatch.chdir(tmp_path)

    def test_two_stars_go_into_all_folders(self) -> None:
        expected = ["scan2/f0.tif", "scan2/f1.tif", "scan10/f0.tif", "scan10/f1.tif"]
        assert names(open_frames("run/**/*.tif")) == expected

    def test_the_root_is_what_comes_before_the_first_wildcard(self, tmp_path: Path) -> None:
        assert open_frames("run/scan*/f0.tif").root == tmp_path / "run"
        assert open_frames("run/scan2/f[0-9].tif").root == tmp_path / "run" / "scan2"
        assert open_frames("run/scan2/f1.tif").root == tmp_path / "run" / "scan2"

    def test_a_list_may_hold_folders_and_patterns_and_takes_each_file_once(self, tmp_path: Path) -> None:
        source = open_frames(["run/scan10", "run/scan2/*.tif", Path("run/scan2/f0.tif")])
        assert names(source) == ["scan2/f0.tif", "scan2/f1.tif", "scan10/f0.tif", "scan10/f1.tif"]
        assert source.root == tmp_path / "run"

    def test_a_name_that_looks_like_a_pattern_is_a_name_first(self) -> None:
        tifffile.imwrite("run/f[1].tif", FRAMES[0])
        assert names(open_frames("run/f[1].tif")) == ["f[1].tif"]

    def test_links_keep_their_own_name(self, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere.tif"
        tifffile.imwrite(elsewhere, FRAMES[0])
        (tmp_path / "run" / "scan2" / "link.tif").symlink_to(elsewhere)
        assert names(open_frames("run/scan2"))[-1] == "link.tif"

    @pytest.mark.parametrize(
        ("path", "why"),
        [
            ("run/scan2/f3.tif", r"run/scan2/f3\.tif: no such file or folder; did you mean 'f\d\.tif'\?"),
            ("rum/scan2/f0.tif", r"there is no folder '.*rum'; did you mean 'run'\?"),
            ("qqq.tif", r"qqq\.tif: no such file or folder$"),
            ("run/scan2/*.npy", r"run/scan2/\*\.npy: the pattern matches nothing$"),
            (
                "rum/*.tif",
                r"rum/\*\.tif: there is no folder|rum/\*\.tif: no such file or folder; did you mean 'run'",
            ),
            ("run", r"no file in this folder can be read; the folders below it hold 4: try 'run/\*\*/\*'"),
            (
                "notes.txt",
                r"notes\.txt: no reader for '\.txt' files; known are \.bmp, \.btf, ",
            ),
            (
                "*.txt",
                r"\*\.txt: the pattern matches nothing that can be read; no reader for '\.txt' files; ",
            ),
            ("empty", r"empty: this folder is empty$"),
            ("notes", r"no file in this folder can be read; known are \.bmp"),
        ],
    )
    def test_what_cannot_be_found_is_named_with_what_to_try(
        self, tmp_path: Path, path: str, why: str
    ) -> None:
        (tmp_path / "notes.txt").write_text("scan 3: beam was low")
        (tmp_path / "empty").mkdir()
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes" / "notes.txt").touch()
        with pytest.raises(FrameError, match=why) as caught:
            open_frames(path)
        assert "\n" not in str(caught.value)

    def test_one_missing_file_of_a_list_is_an_error_at_once(self) -> None:
        with pytest.raises(FrameError, match=r"f9\.tif: no such file"):
            open_frames(["run/scan2/f0.tif", "run/scan2/f9.tif"])

    def test_an_empty_list_or_another_type_is_refused(self) -> None:
        with pytest.raises(InputError, match="the list is empty; give at least one"):
            open_frames([])
        with pytest.raises(InputTypeError, match="path_or_pattern is of type ndarray; give"):
            open_frames(FRAMES)  # type: ignore[arg-type]

    def test_whatever_names_files_is_opened_by_as_source(self) -> None:
        assert len(as_source("run/scan2")) == len(as_source([Path("run/scan2")])) == 2


def test_brackets_in_the_name_of_a_folder_that_is_there_are_no_wildcards(tmp_path: Path) -> None:
    for folder in ("run [1]", "run 1"):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "f1.npy", np.ones((3, 4)))
    pattern = tmp_path / "run [1]" / "f?.npy"
    source = open_frames(pattern)
    assert source.root == tmp_path / "run [1]"
    assert len(source) == 1
    assert means(str(pattern), tmp_path / "run [1]" / "f2.npy")
    assert not means(str(pattern), tmp_path / "run 1" / "f2.npy")
    assert len(open_frames(tmp_path / "run [1-9]" / "*.npy")) == 1
    assert len(open_frames(tmp_path / "run*" / "f[1].npy")) == 2


def test_one_file_beside_a_folder_of_frames_is_doubted(tmp_path, caplog):
    (tmp_path / "frames").mkdir()
    np.save(tmp_path / "valid_mask.npy", np.ones((3, 4)))
    np.save(tmp_path / "frames" / "f1.npy", np.ones((3, 4)))
    assert len(open_frames(tmp_path)) == 1
    assert caplog.messages == []
    np.save(tmp_path / "frames" / "f2.npy", np.ones((3, 4)))
    assert len(open_frames(tmp_path)) == 1
    assert caplog.messages == [
        f"valid_mask.npy is all that {tmp_path.name} holds; frames in it holds 2: is that meant?"
    ]


def test_what_lies_in_a_run_folder_is_no_frame(tmp_path):
    align_run(np.random.default_rng(1).poisson(9, (2, 32, 32)).astype("u2"), tmp_path / "run")
    np.save(tmp_path / "run" / "drawn_valid.npy", np.ones((32, 32)))
    for named in (tmp_path / "run", [tmp_path / "run"]):
        with pytest.raises(FrameError, match="this is a run folder; name the frames it was made of"):
            open_frames(named)
    with pytest.raises(InputError, match="is a run folder; name the folder that frames are written to"):
        watch_run(tmp_path / "run", tmp_path / "other", until_idle=0.1)


def test_a_hint_looks_at_no_more_files_than_it_needs(tmp_path, monkeypatch):
    for number in range(9):
        (tmp_path / "sub" / f"{number}").mkdir(parents=True)
        np.save(tmp_path / "sub" / f"{number}" / "a.npy", np.zeros((3, 4)))
    with pytest.raises(FrameError, match="the folders below it hold 9: try"):
        open_frames(tmp_path)
    monkeypatch.setattr(locate, "_LOOKED_AT", 12)
    with pytest.raises(FrameError, match=r"the folders below it hold at least \d+: try"):
        open_frames(tmp_path)
