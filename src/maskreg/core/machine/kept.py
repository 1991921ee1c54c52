"""What was computed, kept to be used again: the last value of each name, up to so many bytes.

Whoever gets a value does not change it. Threads that miss a value at the same time both compute it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

from numpy.typing import NDArray

T = TypeVar("T")


class Kept:
    """The last value of each name, with the key that tells what it was computed for.

    Parameters
    ----------
    most : int
        Bytes that all values together may take; 0 keeps nothing.
    """

    def __init__(self, most: int = 0) -> None:
        self.most = most
        self._values: dict[str, tuple[Hashable, Any, int]] = {}
        self._lock = Lock()

    def find(self, name: str, key: Hashable) -> Any:
        """Return the value, or None if there is none of this name for this key."""
        found = self._values.get(name)
        return None if found is None or found[0] != key else found[1]

    def takes(self, name: str, nbytes: int) -> bool:
        """Return whether a new value of this name and size would be kept."""
        others = sum(size for other, (_, _, size) in list(self._values.items()) if other != name)
        return 0 < nbytes <= self.most - others

    def put(self, name: str, key: Hashable, value: Any) -> None:
        """Keep a value, in place of the last one of its name, if there is room."""
        nbytes = _bytes_of(value)
        with self._lock:
            self._values.pop(name, None)
            if self.takes(name, nbytes):
                self._values[name] = key, value, nbytes

    def take(self, name: str, key: Hashable) -> Any:
        """Return a value that is kept no longer, so that it is the caller's alone, or None."""
        with self._lock:
            found = self._values.get(name)
            return None if found is None or found[0] != key else self._values.pop(name)[1]

    def get(self, name: str, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value, made and kept if it is not there."""
        value: T | None = self.find(name, key)
        if value is None:
            value = make()
            self.put(name, key, value)
        return value


def _bytes_of(value: NDArray[Any] | list[Any] | tuple[Any, ...]) -> int:
    if isinstance(value, (list, tuple)):
        return sum(_bytes_of(part) for part in value)
    return int(value.nbytes)
