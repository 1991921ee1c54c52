"""A format from another package, found by its entry point."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from frame_source_contract import FrameSourceContract, some_frames
from numpy.typing import NDArray

from maskreg.errors import FrameError
from maskreg.frames import FrameSource, open_frames
from maskreg.frames.plugins import plugins

ROOT = Path(__file__).parents[2]
Install = Callable[..., None]


def example() -> tuple[str, str]:
    """Return module and entry point as docs/reference/formats.md shows them."""
    page = (ROOT / "docs" / "reference" / "formats.md").read_text(encoding="utf-8")
    module = page.partition("```python\n")[2].partition("```")[0]
    entry_point = page.partition("```toml\n")[2].partition("```")[0]
    assert "class CountFrames" in module
    return module, entry_point.splitlines()[-1].replace('"', "")


@pytest.fixture
def install(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package of one module, with real metadata, on the path of this process."""
    site = tmp_path_factory.mktemp("site")
    monkeypatch.syspath_prepend(str(site))

    def install(package: str, module: str, entry_point: str) -> None:
        (site / f"{package}.py").write_text(module)
        info = site / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[maskreg.readers]\n{entry_point}\n")
        plugins.cache_clear()

    yield install
    monkeypatch.undo()
    plugins.cache_clear()
    for name in ("lab_counts", "lab_broken"):
        sys.modules.pop(name, None)


class TestTheExampleOfTheDocs(FrameSourceContract):
    dtypes = ("u2",)

    @pytest.fixture(autouse=True)
    def installed(self, install: Install) -> None:
        install("lab_counts", *example())

    def store(self, folder: Path, frames: NDArray) -> FrameSource:
        with (folder / "f.cnt").open("wb") as file:
            file.write(np.array(frames.shape, "<u4").tobytes() + frames.astype("<u2").tobytes())
        return open_frames(folder / "f.cnt")

    def test_its_file_may_be_broken_as_any_other(self, tmp_path: Path) -> None:
        (tmp_path / "f.cnt").write_bytes(b"?")
        with pytest.raises(FrameError, match=r"^f\.cnt: is no readable '\.cnt' file: "):
            open_frames(tmp_path / "f.cnt")


@pytest.mark.parametrize(
    ("module", "why"),
    [
        (
            "import nothing_like_this",
            "cannot be loaded: ModuleNotFoundError No module named 'nothing_like_this'",
        ),
        ("raise RuntimeError('no\\nlicence')", "cannot be loaded: RuntimeError no licence"),
        ("Lab = 7", "cannot be loaded: AttributeError"),
        ("def LabFrames(path, root): return []", r"gives no FrameSource but list"),
    ],
)
def test_a_broken_plugin_is_named_in_one_line_and_breaks_nothing_else(
    tmp_path: Path, install: Install, module: str, why: str
) -> None:
    install("lab_broken", module, "lab = lab_broken:LabFrames")
    np.save(tmp_path / "f.npy", some_frames(2, 8, 9))
    assert len(open_frames(tmp_path)) == 2
    (tmp_path / "f.lab").write_bytes(b"")
    with pytest.raises(FrameError, match=why) as caught:
        open_frames(tmp_path / "f.lab")
    assert "lab_broken:LabFrames (of the package lab_broken)" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(open_frames(tmp_path)) == 3


def test_a_plugin_cannot_change_how_our_formats_are_read(tmp_path: Path, install: Install) -> None:
    install("lab_broken", "raise RuntimeError", ".npy = lab_broken:LabFrames")
    np.save(tmp_path / "f.npy", some_frames(2, 8, 9))
    assert len(open_frames(tmp_path / "f.npy")) == 2


def test_what_is_known_names_the_plugins(tmp_path: Path, install: Install) -> None:
    install("lab_broken", "", "lab = lab_broken:LabFrames")
    (tmp_path / "f.txt").write_bytes(b"")
    with pytest.raises(FrameError, match=r"known are .*\.h5, .*\.lab, .*\.tif"):
        open_frames(tmp_path / "f.txt")
