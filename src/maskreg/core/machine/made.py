"""Things that are made when they are first asked for, and kept: each once, others at the same time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Made(Generic[K, T]):
    """Values by their keys. Thread-safe: who asks for one that is being made waits for that one only.

    Making one may ask for others, of other kinds or keys, but never in a circle.

    Parameters
    ----------
    most : int, optional
        So many are kept: the next one that is made is the first again.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._values: dict[K, T] = {}
        self._locks: dict[K, Lock] = {}

    def get(self, key: K, make: Callable[[], T]) -> T:
        """Return the value of a key, made now if it is not there."""
        try:
            return self._values[key]  # without a lock: for each frame many times
        except KeyError:
            pass
        with self._locks.setdefault(key, Lock()):
            if key in self._values:
                return self._values[key]
            if self._most is not None and len(self) >= self._most:
                self.clear()  # first, so that there is room for the next one
            value = self._values[key] = make()
            self._locks.pop(key, None)  # who waits has it; nobody else will need it
            return value

    def known(self, key: K) -> T | None:
        """Return the value of a key if it is there."""
        return self._values.get(key)

    def drop(self, key: K) -> None:
        """Let go of a value, if it is there; it is made again when it is asked for."""
        self._values.pop(key, None)

    def items(self) -> list[tuple[K, T]]:
        """Return all keys with their values."""
        return list(self._values.items())

    def clear(self) -> None:
        """Let go of all values."""
        self._values.clear()

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def __len__(self) -> int:
        return len(self._values)
