"""What every writer of images must do: subclass, implement `suffix` and `load`, and pytest does the rest."""

from __future__ import annotations

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
            coordinates={"delay": [-1.0, 0.0, 0.5, 1.0, 2.0], "source": [f"f{i}.tif" for i in range(COUNT)]},
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

    def test_what_a_killed_writer_left_is_cleared_away(self, tmp_path, description, planes):
        path = tmp_path / f"out{self.suffix}"
        writer = open_stack(path, description)
        writer.__enter__()
        writer.write({name: stack[0] for name, stack in planes.items()})
        writer._finish()  # as the system closes the files of a process that is gone
        assert not path.exists()
        self.written(path, description, planes)
        np.testing.assert_array_equal(self.load(path, "frames"), planes["frames"])
        assert not any(".part" in file.name for file in tmp_path.iterdir())

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
