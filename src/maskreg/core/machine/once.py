"""An attribute that is computed when it is asked for first, and kept.

As `functools.cached_property`, of which Python 3.11 computes one at a time, of all objects of a class:
threads that prepare an image each would wait for one another. Here, as from Python 3.12 on, there is no
lock: threads that miss an attribute of one object at the same time both compute it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class once(Generic[T]):  # a decorator
    """Decorate a method that is then an attribute."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> Self | T:
        if instance is None:
            return self
        # from now on Python finds it there and does not call this again
        value = instance.__dict__[self._name] = self._compute(instance)
        return value
