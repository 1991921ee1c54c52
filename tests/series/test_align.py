from __future__ import annotations

import io
import re

import numpy as np
import pytest
import tifffile

from maskreg import Status, align, open_frames
from maskreg.errors import FrameError, InputError, InputTypeError
from maskreg.stream import can_fork, forked

SHAPE = (72, 90)


def csv_of(alignment):
    stream = io.StringIO()
    alignment.table().to_csv(stream)
    return stream.getvalue()


def without_source(text):
    return re.sub(r"^(\d+),[^,]*,", r"\1,", text, flags=re.MULTILINE)


def test_every_frame_gets_the_shift_that_brings_it_back(frames, mask, truth):
    alignment = align(frames, mask)
    assert alignment.status == [Status.REFERENCE] + [Status.OK] * (len(frames) - 1)
    np.testing.assert_allclose(alignment.shifts, truth, atol=0.2)
    assert alignment.uncertainty.shape == alignment.shifts.shape
    assert (alignment.uncertainty[1:] > 0).all()
    assert (alignment.score > 0.9).all()
    assert alignment.ok.all()
    assert repr(alignment) == f"Alignment({len(frames)} frames: {len(frames) - 1} ok, 1 reference)"


def test_the_reference_has_no_shift_and_no_uncertainty(frames, truth):
    alignment = align(frames, reference=2)
    assert alignment.status[2] is Status.REFERENCE
    np.testing.assert_array_equal(alignment.shifts[2], 0)
    np.testing.assert_array_equal(alignment.uncertainty[2], 0)
    np.testing.assert_allclose(alignment.shifts, truth - truth[2], atol=0.2)


def test_a_mask_that_may_be_upside_down_is_told(frames, mask, caplog):
    align(frames, mask)
    assert "upside down" not in caplog.text
    align(frames, ~mask)
    assert "% of the pixels are ignored: the mask may be upside down: use ~mask" in caplog.text


def test_whole_numbers_in_place_of_a_mask_are_suspected(frames, mask, caplog):
    """``~`` of 0 and 1 in uint8 is 255 and 254: nothing was ignored, without a word."""
    numbers = mask.astype("uint8")
    align(frames, numbers)
    assert caplog.messages == []
    align(frames, 1 - numbers)
    assert "upside down: use mask == 0: True is valid" in caplog.text
    caplog.clear()
    align(frames, ~numbers)
    assert "the mask holds 254 and 255, and no 0: which of them is valid? Every pixel" in caplog.text
    caplog.clear()
    align(frames, frames[0])
    assert "the mask holds more than two values: is it a mask?" in caplog.text


def test_a_mask_is_no_path(frames):
    with pytest.raises(InputError, match=r"mask is 'valid\.tif'; give an array: maskreg\.masks\.load_mask"):
        align(frames, "valid.tif")


def test_a_negative_index_counts_from_the_end(frames):
    assert align(frames, reference=-1).status[-1] is Status.REFERENCE


@pytest.mark.parametrize("given", ["array", "file", "of a stack"])
def test_a_reference_of_its_own_leaves_every_frame_to_be_registered(frames, stack, tmp_path, given, truth):
    tifffile.imwrite(tmp_path / "reference.tif", frames[0])
    reference = {"array": frames[0], "file": tmp_path / "reference.tif", "of a stack": f"{stack}[0]"}[given]
    alignment = align(frames[1:], reference=reference)
    assert set(alignment.status) == {Status.OK}
    np.testing.assert_allclose(alignment.shifts, truth[1:], atol=0.2)


def test_stack_and_folder_and_arrays_give_the_same_table_but_for_the_source(frames, folder, stack, mask):
    tables = [csv_of(align(series, mask)) for series in (frames, folder, stack)]
    assert len({without_source(table) for table in tables}) == 1
    assert len(set(tables)) == 3


@pytest.mark.parametrize("workers", [2, 5])
def test_the_number_of_workers_changes_nothing(frames, mask, workers):
    assert csv_of(align(frames, mask, workers=workers)) == csv_of(align(frames, mask, workers=1))


@pytest.mark.skipif(not can_fork(), reason="this system does not fork safely")
@pytest.mark.parametrize("as_files", [False, True])
def test_forked_processes_change_nothing_bad_frames_included(frames, folder, mask, as_files, monkeypatch):
    files = sorted(folder.glob("*.tif"))
    files[2].write_bytes(b"broken")
    tifffile.imwrite(files[4], np.zeros((8, 8), np.uint16))
    series = folder if as_files else frames
    alone = csv_of(align(series, mask, workers=1))
    forks = []
    begun = forked._Crew.__init__

    def noted(crew, function, workers):
        forks.append(workers)
        begun(crew, function, workers)

    monkeypatch.setattr(forked._Crew, "__init__", noted)
    monkeypatch.setattr("maskreg.series.pipeline.WORTH_FORKING", 0.0)
    monkeypatch.setattr("maskreg.frames.mapped.WORTH_MAPPING", 1)
    # the threads of a test runner hold nothing that frames need
    monkeypatch.setattr("maskreg.series.pipeline.can_fork", lambda: True)
    assert csv_of(align(series, mask, workers=2)) == alone
    assert forks == [2]


def test_what_lies_under_the_mask_changes_nothing(frames, mask):
    rng = np.random.default_rng(1)
    painted = [np.where(mask, frame, rng.integers(0, 65535, SHAPE)).astype(frame.dtype) for frame in frames]
    assert csv_of(align(painted, mask)) == csv_of(align(frames, mask))


def test_a_bad_frame_is_a_row_with_its_reason(folder, frames, truth):
    (folder / "f2.tif").write_bytes(b"II*\0 broken")
    tifffile.imwrite(folder / "f3.tif", frames[0][:50])
    tifffile.imwrite(folder / "f4.tif", np.full(SHAPE, 7, np.uint16))
    alignment = align(folder)
    assert alignment.status[2:6] == [Status.UNREADABLE, Status.BAD_SHAPE, Status.FLAT, Status.OK]
    assert np.isnan(alignment.shifts[2:5]).all()
    np.testing.assert_allclose(alignment.shifts[[1, 5, 6, 7]], truth[[1, 5, 6, 7]], atol=0.2)
    reasons = [row.registration.reason for row in alignment.table()]
    assert "is no readable TIFF file" in reasons[2]
    assert "(50, 90)" in reasons[3]
    assert str(folder) not in csv_of(alignment)


def test_frames_that_are_not_ok_are_applied_as_wholly_invalid(folder, frames, mask):
    (folder / "f1.tif").write_bytes(b"")
    aligned = list(align(folder, mask).apply())
    assert len(aligned) == len(frames)
    image, valid = aligned[1]
    assert np.isnan(image).all()
    assert not valid.any()
    assert image.dtype == aligned[2][0].dtype


def test_applied_frames_lie_on_the_reference(frames, mask):
    for image, valid in align(frames, mask).apply():
        inside = valid & mask
        assert inside.sum() > 0.4 * mask.size
        assert np.corrcoef(image[inside], frames[0][inside])[0, 1] > 0.95


def test_the_table_is_written_whole(frames, tmp_path):
    alignment = align(frames)
    alignment.to_csv(tmp_path / "shifts.csv")
    assert (tmp_path / "shifts.csv").read_bytes().decode() == csv_of(alignment)
    assert [file.name for file in tmp_path.iterdir()] == ["shifts.csv"]


def test_an_open_source_is_left_open(stack):
    with open_frames(stack) as source:
        align(source)
        assert source.read(0).shape == SHAPE


def test_a_bug_is_not_hidden_in_the_table(stack, monkeypatch):
    def broken(self, index):
        raise ZeroDivisionError("a bug")

    with open_frames(stack) as source:
        monkeypatch.setattr(type(source), "metadata", broken)
        with pytest.raises(ZeroDivisionError, match="a bug"):
            align(source)


def test_a_reference_that_cannot_be_read_is_told_with_what_to_try(folder):
    (folder / "f0.tif").write_bytes(b"")
    with pytest.raises(InputError, match=r"frame 0 \(f0\.tif\), cannot be used: .*--reference 1"):
        align(folder)
    assert align(folder, reference=1).status[:2] == [Status.UNREADABLE, Status.REFERENCE]


def test_a_flat_reference_is_told(frames, mask):
    flat = [np.zeros(SHAPE, np.uint16), *frames]
    with pytest.raises(InputError, match=r"frame 0 .* is flat: every valid pixel is 0; try .*--reference 1"):
        align(flat, mask)
    with pytest.raises(InputError, match="has no valid pixels"):
        align(frames, np.zeros(SHAPE, dtype=bool))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"reference": 99}, InputError, "there is no frame 99 in the series: it has 8"),
        ({"reference": 1.5}, InputError, "reference is 1.5"),
        ({"reference": "nowhere.tif"}, FrameError, "nowhere.tif"),
        ({"reference": np.ones((3, 4))}, InputError, r"shape \(3, 4\), the frames have \(72, 90\)"),
        ({"reference": np.ones(SHAPE, complex)}, InputTypeError, "holds complex128"),
        ({"mask": np.ones((3, 4), bool)}, InputError, r"mask has shape \(3, 4\)"),
        ({"mask": np.ones(SHAPE)}, InputError, "mask has dtype float64"),
        ({"max_shift": -1}, InputError, "max_shift is -1"),
        ({"workers": 0}, InputError, "workers is 0"),
        ({"workers": 2.5}, InputError, "workers is 2.5"),
        ({"workers": "2"}, InputError, "workers is '2'"),
        ({"memory": "1GB"}, InputError, "memory is '1GB'"),
        ({"smoothing": 1e300}, InputError, "smoothing is 1e.300; it must be 'auto' or a positive .* at most"),
        ({"smoothing": "wide"}, InputError, "smoothing is 'wide'; it must be 'auto' or"),
    ],
)
def test_arguments_that_cannot_be_used_are_named(frames, arguments, error, message):
    with pytest.raises(error, match=message):
        align(frames, **arguments)


def test_a_stack_needs_the_number_of_its_frame_to_be_a_reference(frames, stack):
    with pytest.raises(InputError, match=r"holds 8 frames; name one of them, such as '.*\[0\]'"):
        align(frames, reference=stack)
    with pytest.raises(InputError, match="there is no frame 9"):
        align(frames, reference=f"{stack}[9]")


def test_one_image_is_no_series(frames):
    with pytest.raises((InputError, InputTypeError)):
        align(frames[0])


def test_a_part_of_a_series_is_a_series(folder, mask):
    with open_frames(folder) as source:
        every, some = align(source, mask), align(source[::2], mask)
    np.testing.assert_array_equal(some.shifts, every.shifts[::2])
    assert [row.source for row in some.table()] == ["f0.tif", "f2.tif", "f4.tif", "f6.tif"]
    for (image, valid), (other, also) in zip(some.apply(), list(every.apply())[::2], strict=True):
        np.testing.assert_array_equal(valid, also)
        np.testing.assert_array_equal(image[valid], other[also])


def test_a_reference_called_as_a_frame_is_told_by_its_index(folder, stack, monkeypatch):
    with pytest.raises(InputError, match=r"reference is 'f3\.tif', which is no file here; .*\(reference=3\)"):
        align(folder, reference="f3.tif")
    monkeypatch.chdir(stack.parent)
    by_name, by_index = align("stack.tif", reference="stack.tif[3]"), align("stack.tif", reference=3)
    np.testing.assert_array_equal(by_name.shifts[4:], by_index.shifts[4:])
