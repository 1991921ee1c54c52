"""What every writer of images must do: subclass, implement `suffix` and `load`, and pytest does the rest."""

from __future__ import annotations

import errno
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from maskreg.errors import RunError
from maskreg.outputs import Description, Layer, open_stack

COUNT, SHAPE = 5, (9, 13)


class StackWriterContract:
    suffix = ""

    def load(self, path: Path, layer: str) -> np.ndarray:
        """Return what a program that knows only the format reads."""
        raise NotImplementedError

    @pytest.fixture
    def planes(self):
        rng = np.random.default_rng(3)
        frames = rng.normal(100, 20, (COUNT, *SHAPE)).astype(np.float32)
        valid = rng.random((COUNT, *SHAPE)) > 0.2
        frames[~valid] = np.nan
        return {"frames": frames, "valid": valid}

    @pytest.fixture
    def description(self):
        return Description(
            layers=(Layer("frames", np.dtype("f4")), Layer("valid", np.dtype(bool))),
            shape=SHAPE,
            count=COUNT,
            coordinates={
                "delay": [-1.0, 0.0, 0.5, 1.0, 2.0],
                "scan": [1, None, 3, None, 5],
                "source": [f"f{i}.tif" for i in range(COUNT)],
            },
            attributes={"maskreg": {"order": 5}},
        )

    def written(self, path, description, planes, **how):
        with open_stack(path, description, **how) as writer:
            for number in range(COUNT):
                writer.write({name: stack[number] for name, stack in planes.items()})
        return path

    def test_what_was_written_is_read(self, tmp_path, description, planes):
        path = self.written(tmp_path / f"out{self.suffix}", description, planes)
        np.testing.assert_array_equal(self.load(path, "frames"), planes["frames"])
        np.testing.assert_array_equal(self.load(path, "valid") > 0, planes["valid"])

    @pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "u4", "f4", "f8"])
    def test_every_type_comes_back(self, tmp_path, description, dtype):
        stack = (np.arange(COUNT * SHAPE[0] * SHAPE[1]) % 250).reshape(COUNT, *SHAPE).astype(dtype)
        told = replace(description, layers=(Layer("frames", np.dtype(dtype)),))
        path = self.written(tmp_path / f"out{self.suffix}", told, {"frames": stack})
        read = self.load(path, "frames")
        assert read.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(read, stack)

    def test_a_single_plane_has_no_axis_of_its_own(self, tmp_path, description, planes):
        told = replace(description, count=None, coordinates={})
        with open_stack(tmp_path / f"out{self.suffix}", told) as writer:
            writer.write({name: stack[0] for name, stack in planes.items()})
        read = self.load(tmp_path / f"out{self.suffix}", "frames")
        np.testing.assert_array_equal(read, planes["frames"][0])

    def test_the_same_planes_give_the_same_bytes(self, tmp_path, description, planes):
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
            self.written(tmp_path / folder / f"out{self.suffix}", description, planes)
        assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b") != {}

    def test_nothing_half_written_has_a_final_name(self, tmp_path, description, planes):
        path = tmp_path / f"out{self.suffix}"
        with pytest.raises(LookupError), open_stack(path, description) as writer:
            writer.write({name: stack[0] for name, stack in planes.items()})
            assert all(".part" in file.name for file in tmp_path.iterdir())
            raise LookupError
        assert list(tmp_path.iterdir()) == []

    def test_a_missing_plane_is_an_error(self, tmp_path, description, planes):
        with (
            pytest.raises(RunError, match="1 of 5 planes came"),
            open_stack(tmp_path / f"out{self.suffix}", description) as writer,
        ):
            writer.write({name: stack[0] for name, stack in planes.items()})
        assert list(tmp_path.iterdir()) == []

    def begun(self, path, description, planes, count):
        """Write `count` planes and leave everything as a process does that is killed."""
        writer = open_stack(path, description)
        writer.__enter__()
        for number in range(count):
            writer.write({name: stack[number] for name, stack in planes.items()})
        writer._close()
        writer._journal.close(remove=False)

    @pytest.mark.parametrize("count", range(COUNT + 1))
    def test_what_a_killed_writer_left_is_gone_on_with(self, tmp_path, description, planes, count):
        told = replace(description, batch=2)
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
        self.written(tmp_path / "a" / f"out{self.suffix}", told, planes)
        path = tmp_path / "b" / f"out{self.suffix}"
        self.begun(path, told, planes, count)
        assert not path.exists()
        with open_stack(path, told) as writer:
            assert writer.done == count // 2 * 2
            for number in range(writer.done, COUNT):
                writer.write({name: stack[number] for name, stack in planes.items()})
        assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")

    def test_what_is_in_the_parts_behind_the_journal_does_not_count(self, tmp_path, description, planes):
        """Killed while a batch was written: some of it is there, and is not what comes in the end."""
        told = replace(description, batch=2)
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
        empty = {"frames": np.zeros_like(planes["frames"]), "valid": np.zeros_like(planes["valid"])}
        self.written(tmp_path / "a" / f"out{self.suffix}", told, empty)
        path = tmp_path / "b" / f"out{self.suffix}"
        writer = open_stack(path, told)
        writer.__enter__()
        writer._write(2, {name: stack[2:4] for name, stack in planes.items()})
        writer._close()
        writer._journal.close(remove=False)
        self.written(path, told, empty)
        assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")

    def test_killed_while_names_are_given_it_gives_the_rest(self, tmp_path, description, planes, monkeypatch):
        told = replace(description, batch=1)
        path = tmp_path / f"out{self.suffix}"
        replaced = Path.replace

        def once(part, final):
            replaced(part, final)
            if part.suffix == ".part":  # not a file that the format's library writes within it
                raise KeyboardInterrupt

        monkeypatch.setattr(Path, "replace", once)
        with pytest.raises(KeyboardInterrupt):
            self.written(path, told, planes)
        monkeypatch.undo()
        with open_stack(path, told) as writer:
            assert writer.done == COUNT
        np.testing.assert_array_equal(self.load(path, "frames"), planes["frames"])
        assert not any(".part" in file.name for file in tmp_path.iterdir())

    def test_what_was_begun_of_other_frames_is_made_anew(self, tmp_path, description, planes, caplog):
        path = tmp_path / f"out{self.suffix}"
        self.begun(path, replace(description, batch=1, made_of="this"), planes, 3)
        told = replace(description, batch=1, made_of="that")
        changed = {**planes, "frames": planes["frames"] + 1}
        self.written(path, told, changed)
        assert "is of other frames or settings, and is made anew" in caplog.text
        np.testing.assert_array_equal(self.load(path, "frames"), changed["frames"])

    def test_what_was_kept_within_a_plane_is_there_again(self, tmp_path, description, planes):
        path = tmp_path / f"out{self.suffix}"
        told = replace(description, batch=1)
        with pytest.raises(LookupError), open_stack(path, told) as writer:
            assert writer.kept() is None
            writer.keep({"sum": np.arange(3.0)})
            raise LookupError
        with open_stack(path, told) as writer:
            np.testing.assert_array_equal(writer.kept()["sum"], np.arange(3.0))
            for number in range(COUNT):
                writer.write({name: stack[number] for name, stack in planes.items()}, f"{number},")
                assert writer.kept() is None
            assert "".join(writer.notes) == "0,1,2,3,4,"
        assert not any(".part" in file.name for file in tmp_path.iterdir())

    def test_a_second_process_is_kept_out(self, tmp_path, description):
        path = tmp_path / f"out{self.suffix}"
        with pytest.raises(LookupError), open_stack(path, description):
            with pytest.raises(RunError, match="is being written by another process"):
                open_stack(path, description).__enter__()
            raise LookupError

    def test_a_disk_that_is_full_is_one_line_and_can_be_gone_on_with(
        self, tmp_path, description, planes, monkeypatch
    ):
        path = tmp_path / f"out{self.suffix}"
        told = replace(description, batch=1)
        write = type(open_stack(path, told))._write

        def full(writer, begin, stacks):
            if begin == 3:
                raise OSError(errno.ENOSPC, "No space left on device")
            write(writer, begin, stacks)

        monkeypatch.setattr(type(open_stack(path, told)), "_write", full)
        with pytest.raises(RunError, match="No space left on device; make room and give the same command"):
            self.written(path, told, planes)
        monkeypatch.undo()
        with open_stack(path, told) as writer:
            assert writer.done == 3
            for number in range(3, COUNT):
                writer.write({name: stack[number] for name, stack in planes.items()})
        np.testing.assert_array_equal(self.load(path, "frames"), planes["frames"])

    def test_an_output_is_replaced_only_when_told(self, tmp_path, description, planes):
        path = self.written(tmp_path / f"out{self.suffix}", description, planes)
        before = bytes_of(tmp_path)
        with pytest.raises(RunError, match="exists; take another name, or --overwrite"):
            self.written(path, description, planes)
        assert bytes_of(tmp_path) == before
        changed = {**planes, "frames": planes["frames"] + 1}
        self.written(path, description, changed, overwrite=True)
        np.testing.assert_array_equal(self.load(path, "frames"), changed["frames"])

    def test_a_folder_that_is_not_there_is_one_line(self, tmp_path, description, planes):
        with pytest.raises(RunError, match="cannot write"):
            self.written(tmp_path / "nowhere" / f"out{self.suffix}", description, planes)


def bytes_of(folder: Path) -> dict[str, str]:
    """Hash of every file below `folder`."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
