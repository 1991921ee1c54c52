from __future__ import annotations

from pathlib import PurePosixPath

from hypothesis import given, settings
from hypothesis import strategies as st

from maskreg.frames.order import natural_key


def in_order(*names: str) -> list[str]:
    return [str(path) for path in sorted(map(PurePosixPath, names), key=natural_key)]


def two_orders(names: list[str]) -> st.SearchStrategy[tuple[list[str], list[str]]]:
    return st.tuples(st.just(names), st.permutations(names))


def test_numbers_count_as_numbers() -> None:
    assert in_order("f10.tif", "f2.tif", "f1.tif") == ["f1.tif", "f2.tif", "f10.tif"]


def test_folders_are_compared_before_files() -> None:
    names = ["scan2/f1.tif", "scan10/f0.tif", "scan2/f11.tif"]
    assert in_order(*names) == ["scan2/f1.tif", "scan2/f11.tif", "scan10/f0.tif"]


def test_case_does_not_matter_and_ties_have_one_order() -> None:
    assert in_order("b1", "A2", "a10", "B0") == ["A2", "a10", "B0", "b1"]
    assert in_order("f1", "F1", "f01") == in_order("f01", "f1", "F1") == ["F1", "f01", "f1"]


@settings(derandomize=True)
@given(st.lists(st.integers(0, 10**20), min_size=1, unique=True), st.sampled_from(["", "f", "scan_2_"]))
def test_any_numbers_come_in_their_order(numbers: list[int], prefix: str) -> None:
    names = [f"{prefix}{number}.tif" for number in numbers]
    assert in_order(*names) == [f"{prefix}{number}.tif" for number in sorted(numbers)]


@settings(derandomize=True)
@given(st.lists(st.text(alphabet="a1²٣-.Zß/", min_size=1), unique_by=PurePosixPath).flatmap(two_orders))
def test_any_names_have_one_order(orders: tuple[list[str], list[str]]) -> None:
    assert in_order(*orders[0]) == in_order(*orders[1])
