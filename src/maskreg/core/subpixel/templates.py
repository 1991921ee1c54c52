"""The templates of one reference: all small ones are kept, of large ones only those that most frames need."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock

from maskreg.core.image.prepared import Prepared
from maskreg.core.machine.made import Made
from maskreg.core.machine.memory import give_back_free_memory
from maskreg.core.plan import CHEAP_PIXELS
from maskreg.core.subpixel.template import Template

Make = Callable[[int, float | None], Template]
"""Returns a new template of a level's bin and a sigma in its pixels, or None for no Gaussian."""


class Templates:
    """Templates by their level, and by the sigma of the Gaussian on top of its low-pass. Thread-safe.

    Beside the one without a Gaussian a large level keeps one at a time: few frames need others.

    Parameters
    ----------
    image : Prepared
        The reference.
    """

    def __init__(self, image: Prepared) -> None:
        self._image = image
        self._lock = RLock()
        self._kept: Made[tuple[int, float | None], Template] = Made()
        self._passing: tuple[int, float | None] | None = None
        self._forgotten: set[tuple[int, float | None]] = set()

    def is_large(self, b: int) -> bool:
        """Whether a template of level `b` is of many pixels."""
        return self._image.level(b).pixels.size > CHEAP_PIXELS

    def get(self, b: int, gaussian: float | None, make: Make) -> Template:
        """Return a template, made now if it is not kept."""
        key = b, gaussian
        if gaussian is None or not self.is_large(b):
            return self._kept.get(key, lambda: self._made(b, gaussian, make))
        known = self._kept.known(key)
        if known is not None:
            return known
        with self._lock:
            if key not in self._kept:
                if self._passing is not None:
                    self._kept.drop(self._passing)
                self._passing = key
                for _, other in self._kept.items():
                    other.forget()
            return self._kept.get(key, lambda: self._made(b, gaussian, make))

    def _made(self, b: int, gaussian: float | None, make: Make) -> Template:
        if self.is_large(b) and (gaussian is not None or (b, gaussian) in self._forgotten):
            give_back_free_memory()  # not at first: a pair takes new pages for it, and little is free
        return make(b, gaussian)

    def forget(self, *, every: bool) -> None:
        """Let go of the large template that few frames need, or of `every` large one.

        They are made again when they are needed, or `remember` is called.
        """
        with self._lock:
            for (b, gaussian), _ in self._kept.items():
                if (every and self.is_large(b)) or (b, gaussian) == self._passing:
                    self._kept.drop((b, gaussian))
                    if (b, gaussian) != self._passing:
                        self._forgotten.add((b, gaussian))
            self._passing = None

    def remember(self, make: Make) -> None:
        """Make again what most frames need of what was let go."""
        with self._lock:
            for b, gaussian in self._forgotten:
                self.get(b, gaussian, make)
            self._forgotten.clear()
