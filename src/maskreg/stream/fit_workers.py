"""Which workers of a cluster are of use to a function, and for how long one is waited for.

- A worker is of use when it has the same versions and the function's own check finds nothing. All
  workers are asked before the first item; one that is not of use is then an error, so that it is
  mended rather than missed. One that comes later is left out, with a warning.
- Without any worker the work waits, up to the cluster's time limit, and goes on when one comes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

from maskreg.errors import ClusterError
from maskreg.stream.on_worker import Report, report
from maskreg.stream.scheduler import TICK, GoneError, Scheduler, wait_a_little
from maskreg.stream.versions import difference, processor

log = logging.getLogger(__name__)

ASKED_FOR = 30.0
"""How long the first answer of all workers is waited for, s; who is busy answers with its first task."""


class FitWorkers:
    """The workers of a cluster that are of use to one function.

    Parameters
    ----------
    scheduler : Scheduler
    patience : float
        How long the work may wait for workers, s.
    """

    def __init__(self, scheduler: Scheduler, patience: float) -> None:
        self._scheduler = scheduler
        self._patience = patience
        self._threads: dict[str, int] = {}
        self._reports: dict[str, Report] = {}
        self._unfit: set[str] = set()
        self._asked: dict[str, Any] = {}
        self._package: Any = None
        self._begun_with = False
        self._restricted = False
        self._counted = 0.0

    @property
    def threads(self) -> int:
        """How many tasks all workers do at once, as last counted."""
        return sum(self._threads.values())

    @property
    def addresses(self) -> frozenset[str]:
        """Those that were there when last counted, of use or not."""
        return frozenset(self._threads)

    @property
    def allowed(self) -> frozenset[str] | None:
        """Those that a task may run on; None for all."""
        return frozenset(self._usable()) if self._restricted else None

    @property
    def asked(self) -> list[Any]:
        """The futures of what they have still to say of themselves."""
        return list(self._asked.values())

    @property
    def restricted(self) -> bool:
        """Whether only those are allowed that have said that they are of use."""
        return self._restricted

    def restrict(self) -> None:
        """Allow from now on only these."""
        self._restricted = True

    def count(self) -> None:
        """Look which workers there are, wait for one if there is none, and ask those that are new."""
        self._threads = self._scheduler.threads()
        self._counted = time.monotonic()
        self._wait_for_one()
        if self._asked or self._reports:
            self._ask_new()
            self._hear()

    def count_if_due(self) -> bool:
        """Do the same, if it was not done within the last tick; return whether it was done now."""
        due = time.monotonic() - self._counted > TICK
        if due:
            self.count()
        return due

    def refuse_other_versions(self, ours: dict[str, str]) -> None:
        """Raise if a worker cannot even say what it is, for it has no maskreg, or another one."""
        names = ["maskreg", *(name for name in ours if name not in ("maskreg", "python"))]
        packages, workers = self._scheduler.versions(names)
        here = _plain(packages, names)
        for address, theirs in workers.items():
            if (differ := difference(_plain(theirs, names), here)) is not None:
                raise ClusterError(
                    f"worker {address}: {differ}; install the same versions on every worker and here"
                )

    def ask_all(self, package: Any) -> None:
        """Ask every worker whether it is of use to the function in a package, and raise if one is not."""
        self._package = package
        self._ask(self._threads)
        end = time.monotonic() + ASKED_FOR
        while self._asked and time.monotonic() < end and not self._unfit:
            first = next(iter(self._asked.values()))
            if not first.done():
                wait_a_little(first)
                self.count_if_due()
            self._hear()
        if self._unfit:
            said = self._reports[min(self._unfit)]
            raise ClusterError(f"{_named(said)}: {said.problem}{self._how_many()}")
        self._begun_with = True

    def leave_out(self, said: Report) -> None:
        """Give no more tasks to a worker that came later and is of no use."""
        if said.address not in self._unfit:
            log.warning("%s is left out: %s", _named(said), said.problem)
        self._reports[said.address] = said
        self._unfit.add(said.address)
        self._restricted = True
        self._wait_for_one()

    def forget(self) -> None:
        """Let go of the package, and of what was asked."""
        self._asked, self._package = {}, None

    def _usable(self) -> list[str]:
        known = self._reports.keys() if self._restricted else self._threads.keys()
        return [address for address in self._threads if address in known and address not in self._unfit]

    def _wait_for_one(self) -> None:
        """Wait until there is a worker of use, up to the time limit."""
        if self._usable():
            return
        patience, where = self._patience, self._scheduler.address
        log.warning("there is no worker of use at %s; waiting up to %g s for one", where, patience)
        end = time.monotonic() + patience
        while not self._usable():
            if time.monotonic() > end:
                raise ClusterError(
                    f"no worker of use came to {where} within {patience:g} s; start some and give the same "
                    "command again, or wait longer: --dask-timeout"
                )
            time.sleep(min(TICK, patience))
            self._threads = self._scheduler.threads()
            if self._restricted:
                self._ask_new()
                self._hear()
        log.info("workers are there: %d", len(self._usable()))

    def _how_many(self) -> str:
        return f" ({len(self._unfit)} of {len(self._threads)} workers)" if len(self._threads) > 1 else ""

    def _ask_new(self) -> None:
        self._ask(self._threads.keys() - self._asked.keys() - self._reports.keys() - self._unfit)

    def _ask(self, addresses: Iterable[str]) -> None:
        for address in addresses:
            self._asked[address] = self._scheduler.submit(report, self._package, workers=[address])

    def _hear(self) -> None:
        """Take note of what workers have said of themselves since."""
        for address, future in list(self._asked.items()):
            if future.done() and self._asked.pop(address, None) is not None:
                if future.status == "finished":
                    self._fetch_and_note(address, future)
                elif future.status == "error":
                    error = future.exception()
                    problem = f"{type(error).__name__}: {error}"
                    self._note(Report(address, "", "", problem))
            elif address not in self._threads:
                self._asked.pop(address, None)
                future.cancel()

    def _fetch_and_note(self, address: str, future: Any) -> None:
        """Take note of what a worker has said, unless it went before that was fetched."""

        def is_there() -> bool:
            self.count()
            return address in self._threads

        try:
            self._note(self._scheduler.fetch(future, is_there))
        except GoneError:
            future.cancel()

    def _note(self, said: Report) -> None:
        if said.problem is None:
            seen = {processor(), *(one.processor for one in self._reports.values())}
            self._reports[said.address] = said
            if said.processor not in seen:
                log.warning(
                    "%s computes on %s, this process on %s: the last digits of a result may depend on "
                    "which of them made it", _named(said), said.processor, processor(),
                )  # fmt: skip
        elif self._begun_with:
            self.leave_out(said)
        else:
            self._reports[said.address] = said
            self._unfit.add(said.address)


def _plain(packages: dict[str, Any], names: list[str]) -> dict[str, str]:
    """Return versions as Dask tells them, of what matters; Python without its last number."""
    python = ".".join(str(packages.get("python")).split(".")[:2])
    return {"python": python, **{name: str(packages.get(name)) for name in names}}


def _named(said: Report) -> str:
    return f"worker {said.address}{f' ({said.host})' if said.host else ''}"
