"""Watching real folders: in the end the table is that of `align`, whatever happened on the way."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import tifffile

from maskreg.errors import InputError, RunError
from maskreg.registration import Status
from maskreg.series import align_run, read_run
from maskreg.series.run_folder.excluded import write_excluded
from maskreg.series.watch import folder as folder_module
from maskreg.series.watch import session as session_module
from maskreg.series.watch import watch_run
from maskreg.testing import Detector, Texture

SHAPE = (72, 90)

QUICK = {"settle": 0.1, "until_idle": 0.6, "workers": 1}


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """List the folder often."""
    monkeypatch.setattr(folder_module, "INTERVAL", 0.05)


@pytest.fixture(params=["events", "polling"])
def notified(request, monkeypatch):
    """With and without word of closed files."""
    if request.param == "polling":
        monkeypatch.setattr(folder_module, "_observer", lambda path, tell: None)


def whole(folder, tmp_path, mask=None, **how):
    """Return the table that `align` makes of a folder."""
    align_run(folder, tmp_path / "aligned", mask, **how)
    return (tmp_path / "aligned" / "shifts.csv").read_bytes()


def table(tmp_path):
    return (tmp_path / "run" / "shifts.csv").read_bytes()


def written_meanwhile(write):
    """Start writing; return the thread."""
    thread = threading.Thread(target=write)
    thread.start()
    return thread


@pytest.mark.usefixtures("notified")
def test_frames_that_arrive_out_of_order_and_slowly_end_in_the_table_of_align(folder, mask, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    names = ["f0.tif", "f5.tif", "f2.tif", "f1.tif", "f7.tif", "f3.tif", "f6.tif", "f4.tif"]

    def write():
        for name in names:
            content = (folder / name).read_bytes()
            with (inbox / name).open("wb", buffering=0) as file:
                file.write(content[:100])
                time.sleep(0.07)
                file.write(content[100:])

    writer = written_meanwhile(write)
    alignment = watch_run(inbox, tmp_path / "run", mask, **QUICK)
    writer.join()
    assert len(alignment) == 8
    assert alignment.ok.all()
    assert table(tmp_path) == whole(folder, tmp_path, mask)


def test_what_the_first_frames_tell_of_the_detector_is_told_as_to_align(tmp_path):
    shape = (96, 96)
    rng = np.random.default_rng(6)
    flat = 1 + 0.03 * rng.normal(size=shape)
    drifts = np.cumsum(rng.normal(0, 1.5, (20, 2)), axis=0)
    camera = Detector(gain=0.5, offset=100.0, dtype=np.uint16)
    inbox = tmp_path / "inbox"
    inbox.mkdir()

    def write():
        for k in (0, 3, 1, 2, *range(19, 3, -1)):
            frame = camera.expose(200 * flat * Texture(shape).render(drifts[k] - drifts[0]), rng)
            tifffile.imwrite(inbox / f"f{k:02}.tif", frame)
            time.sleep(0.03)

    writer = written_meanwhile(write)
    alignment = watch_run(inbox, tmp_path / "run", **QUICK)
    writer.join()
    assert len(alignment) == 20
    told = read_run(tmp_path / "run")[0]["first_look"]
    assert "e/count" in told
    assert "static structure" in told
    assert table(tmp_path) == whole(inbox, tmp_path)


def test_a_writer_that_pauses_for_long_does_no_harm(folder, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for name in ("f0.tif", "f1.tif"):
        (inbox / name).write_bytes((folder / name).read_bytes())
    half = (folder / "f2.tif").read_bytes()
    (inbox / "f2.tif").write_bytes(half[: len(half) // 2])

    def write():
        while (
            read_or_none(tmp_path) is None or Status.UNREADABLE not in read_run(tmp_path / "run")[1].counts()
        ):
            time.sleep(0.02)
        (inbox / "f2.tif").write_bytes(half)

    writer = written_meanwhile(write)
    alignment = watch_run(inbox, tmp_path / "run", **QUICK)
    writer.join()
    assert alignment.ok.all()
    assert table(tmp_path) == whole(inbox, tmp_path)


def read_or_none(tmp_path):
    try:
        return read_run(tmp_path / "run")
    except RunError:
        return None


def test_a_frame_that_comes_before_the_reference_starts_anew(folder, tmp_path, caplog):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for name in ("f2.tif", "f3.tif"):
        (inbox / name).write_bytes((folder / name).read_bytes())

    def write():
        while read_or_none(tmp_path) is None:
            time.sleep(0.02)
        write_excluded(tmp_path / "run", ["f3.tif"])
        for name in ("f1.tif", "f4.tif"):
            (inbox / name).write_bytes((folder / name).read_bytes())

    writer = written_meanwhile(write)
    alignment = watch_run(inbox, tmp_path / "run", **QUICK)
    writer.join()
    assert "f1.tif: the reference is another one now" in caplog.text
    assert alignment.status[2] is Status.EXCLUDED  # what the user has said meanwhile still holds
    write_excluded(tmp_path / "run", [])
    align_run(inbox, tmp_path / "run")
    assert table(tmp_path) == whole(inbox, tmp_path)


def no_frame(file):
    file.write_bytes(b"")


def blank_frame(file):
    tifffile.imwrite(file, np.zeros(SHAPE, np.uint16))


def small_frame(file):
    tifffile.imwrite(file, np.arange(60, dtype=np.uint16).reshape(6, 10))


@pytest.mark.parametrize(
    ("write", "when", "status"),
    [
        (no_frame, "at the start", "unreadable"),
        (no_frame, "later", "unreadable"),
        (blank_frame, "at the start", "flat"),
        (blank_frame, "later", "flat"),
        (small_frame, "later", "bad_shape"),
    ],
)
def test_a_frame_that_cannot_be_the_reference_is_a_row_however_early_its_name(
    folder, tmp_path, monkeypatch, write, when, status
):
    if when == "at the start":
        write(folder / "a.tif")
    else:
        register = session_module.Session._register

        def register_and_break(*args):
            register(*args)
            if not (folder / "a.tif").exists():
                write(folder / "a.tif")

        monkeypatch.setattr(session_module.Session, "_register", register_and_break)
    alignment = watch_run(folder, tmp_path / "run", **QUICK)
    assert [each.label for each in alignment.status[:2]] == [status, "reference"]
    assert alignment.ok[1:].all()
    if status != "bad_shape":  # of these `align` would make the series
        assert table(tmp_path) == whole(folder, tmp_path, reference=1)
    monkeypatch.undo()
    (folder / "a.tif").write_bytes((folder / "f0.tif").read_bytes())
    assert watch_run(folder, tmp_path / "run", overwrite=True, **QUICK).status[0] is Status.REFERENCE


def test_watch_and_align_go_on_with_runs_of_each_other(folder, mask, tmp_path, monkeypatch):
    late = {name: (folder / name).read_bytes() for name in ("f4.tif", "f6.tif")}
    expected = whole(folder, tmp_path, mask)
    for first, second in ((align_run, watch_run), (watch_run, align_run)):
        run = tmp_path / "run"
        how = {watch_run: QUICK, align_run: {}}
        for name in late:
            (folder / name).unlink()
        first(folder, run, mask, overwrite=True, **how[first])
        for name, content in late.items():
            (folder / name).write_bytes(content)
        before = {row.source for row in read_run(run)[1]}
        registered = []
        of = session_module.FrameRow.of

        def counted(*row, of=of, registered=registered):
            registered.append(row[1])
            return of(*row)

        with monkeypatch.context() as patch:
            patch.setattr(session_module.FrameRow, "of", counted)
            second(folder, run, mask, **how[second])
        assert set(registered) == late.keys() - before
        assert table(tmp_path) == expected


def test_watch_reads_what_has_changed_since_a_run_of_align(folder, frames, tmp_path):
    align_run(folder, tmp_path / "run")
    tifffile.imwrite(folder / "f3.tif", frames[6])
    watch_run(folder, tmp_path / "run", **QUICK)
    assert table(tmp_path) == whole(folder, tmp_path)


@pytest.mark.parametrize("made_of_it", [False, True])
def test_an_interrupted_watch_has_its_table_and_goes_on(folder, tmp_path, monkeypatch, made_of_it):
    expected = whole(folder, tmp_path)
    of, after = session_module.FrameRow.of, [5]

    def interrupting(*row):
        after[0] -= 1
        if after[0] == 0 and made_of_it:  # as while compiled code hands over its result
            raise SystemError("a result with an exception set") from KeyboardInterrupt()
        if after[0] == 0:
            raise KeyboardInterrupt
        return of(*row)

    monkeypatch.setattr(session_module, "BATCH", 2)
    monkeypatch.setattr(session_module.FrameRow, "of", interrupting)
    with pytest.raises(KeyboardInterrupt):
        watch_run(folder, tmp_path / "run", **QUICK)
    assert len(table(tmp_path).splitlines()) == 1 + 4
    watch_run(folder, tmp_path / "run", **QUICK)
    assert table(tmp_path) == expected


def test_stacks_and_broken_and_odd_files_are_as_in_align(folder, frames, tmp_path):
    tifffile.imwrite(folder / "f3.tif", np.stack(frames[3:6]), photometric="minisblack")
    (folder / "f5.tif").write_bytes(b"")
    np.save(folder / "f6.npy", frames[0][:20])
    (folder / "notes.txt").write_text("not a frame")
    (folder / ".f7.tif").write_bytes(b"hidden")
    alignment = watch_run(folder, tmp_path / "run", repair=True, **QUICK)
    assert alignment.table().counts()[Status.UNREADABLE] == 1
    assert alignment.table().counts()[Status.BAD_SHAPE] == 1
    assert table(tmp_path) == whole(folder, tmp_path, repair=True)


def test_a_reference_of_its_own(folder, frames, tmp_path):
    tifffile.imwrite(tmp_path / "reference.tif", frames[4])
    watch_run(folder, tmp_path / "run", reference=tmp_path / "reference.tif", **QUICK)
    assert table(tmp_path) == whole(folder, tmp_path, reference=tmp_path / "reference.tif")
    with pytest.raises(InputError, match="known at the end only"):
        watch_run(folder, tmp_path / "other", reference=3, **QUICK)


def test_a_mask_may_be_made_from_the_reference(folder, frames, mask, tmp_path):
    given = []
    watch_run(folder, tmp_path / "run", lambda image: given.append(image) or mask, **QUICK)
    np.testing.assert_array_equal(given[0], frames[0])
    assert table(tmp_path) == whole(folder, tmp_path, mask)


def test_nothing_and_nothing_readable_is_one_line(tmp_path):
    inbox = tmp_path / "inbox"
    with pytest.raises(InputError, match="no such folder"):
        watch_run(inbox, tmp_path / "run", **QUICK)
    inbox.mkdir()
    with pytest.raises(RunError, match="no frame arrived"):
        watch_run(inbox, tmp_path / "run", **QUICK)
    (inbox / "f0.tif").write_bytes(b"")
    with pytest.raises(Exception, match=r"f0\.tif: .*no readable TIFF"):
        watch_run(inbox, tmp_path / "run", **QUICK)


def test_silence_is_an_alarm(folder, tmp_path):
    alarms = []
    watch_run(folder, tmp_path / "run", silence=0.3, on_alarm=alarms.append, **QUICK)
    assert {alarm.kind for alarm in alarms} == {"silence"}


def test_other_settings_are_refused(folder, mask, tmp_path):
    watch_run(folder, tmp_path / "run", mask, **QUICK)
    with pytest.raises(RunError, match=r"mask: .* → none"):
        watch_run(folder, tmp_path / "run", **QUICK)


def test_a_run_whose_reference_is_gone_says_so(folder, tmp_path):
    watch_run(folder, tmp_path / "run", **QUICK)
    (folder / "f0.tif").unlink()
    with pytest.raises(RunError, match=r"cannot go on without its reference f0\.tif, which is not"):
        watch_run(folder, tmp_path / "run", **QUICK)


def test_a_share_that_is_lost_is_one_line_and_the_run_goes_on(folder, tmp_path, monkeypatch):
    expected = whole(folder, tmp_path)
    of, away, after = session_module.FrameRow.of, tmp_path / "away", [4]

    def losing(*row):
        after[0] -= 1
        if after[0] == 0:
            folder.rename(away)
        return of(*row)

    monkeypatch.setattr(session_module.FrameRow, "of", losing)
    with pytest.raises(RunError, match=r"is the share lost\?"):
        watch_run(folder, tmp_path / "run", **QUICK)
    away.rename(folder)
    watch_run(folder, tmp_path / "run", **QUICK)
    assert table(tmp_path) == expected


def test_dark_and_flat_count_as_they_do_for_align(folder, mask, tmp_path):
    rng = np.random.default_rng(5)
    dark, flat = rng.uniform(5, 15, mask.shape), rng.uniform(0.8, 1.2, mask.shape)
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for file in sorted(folder.glob("f*.tif")):
        (inbox / file.name).write_bytes(file.read_bytes())
    watch_run(inbox, tmp_path / "run", mask, dark=dark, flat=flat, **QUICK)
    assert table(tmp_path) == whole(folder, tmp_path, mask, dark=dark, flat=flat)
    assert table(tmp_path) != whole(folder, tmp_path / "raw", mask)


def test_names_tell_metadata_as_they_do_for_align(folder, mask, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for number, file in enumerate(sorted(folder.glob("f*.tif"))):
        (inbox / f"s{number // 2}_{number % 2 - 0.5}ps.tif").write_bytes(file.read_bytes())
    how = {"pattern": "s{scan:d}_{delay:f}ps.tif", "dark": np.full(mask.shape, 2.0)}
    first = watch_run(inbox, tmp_path / "run", mask, **how, **QUICK)
    watched = table(tmp_path)
    assert watched == whole(inbox, tmp_path, mask, **how)
    assert [group.value for group in first.merge(by="delay")] == [-0.5, 0.5]
    # either goes on with a run of the other, also when more has arrived
    (inbox / "s9_0.5ps.tif").write_bytes((folder / "f3.tif").read_bytes())
    align_run(inbox, tmp_path / "run", mask, **how)
    watch_run(inbox, tmp_path / "aligned", mask, **how, **QUICK)
    assert table(tmp_path) == (tmp_path / "aligned" / "shifts.csv").read_bytes() != watched


def test_a_name_that_does_not_fit_is_a_row_without_metadata(folder, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for name in ("d1.tif", "other.tif"):
        (inbox / name).write_bytes((folder / "f1.tif").read_bytes())
    found = watch_run(inbox, tmp_path / "run", pattern="d{delay:d}.tif", **QUICK).table()
    assert [dict(row.metadata) for row in found] == [{"delay": 1}, {}]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("{time:f}.tif", "align puts frames in order"), ("{name}.tif", "take {name:d} or {name:f}")],
)
def test_what_names_cannot_tell_while_watching_is_refused(folder, tmp_path, pattern, message):
    with pytest.raises(InputError, match=message):
        watch_run(folder, tmp_path / "run", pattern=pattern, **QUICK)
