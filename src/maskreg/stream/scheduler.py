"""What a Dask scheduler is asked for: tasks, results, and which workers it has.

Without the scheduler whatever is asked ends with an error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Any

from maskreg.errors import ClusterError

TICK = 1.0
"""How long a future is waited for before the workers are looked after again, s."""

FETCHED_IN = 4.0
"""How long a result that is there is waited for before the workers are counted again, s; then twice that."""


class GoneError(Exception):
    """A result went with its worker, and nobody makes it again."""


class Scheduler:
    """The scheduler of a cluster, as one client sees it.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def address(self) -> str:
        """Where it is."""
        scheduler = self._client.scheduler
        return "the scheduler" if scheduler is None else f"the scheduler at {scheduler.address}"

    def threads(self) -> dict[str, int]:
        """Return how many tasks each worker does at once, by its address."""
        if self._client.status not in ("running", "connecting"):
            raise self.lost()
        try:
            return dict(self._client.nthreads())
        except (OSError, RuntimeError) as error:
            raise self.lost() from error

    def versions(self, names: list[str]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Return the versions of packages here, and on every worker that tells them, by its address."""
        told = self._client.get_versions(packages=names)
        workers = {address: theirs["packages"] for address, theirs in told["workers"].items() if theirs}
        return told["client"]["packages"], workers

    def submit(
        self, function: Callable[..., Any], *arguments: Any, workers: Collection[str] | None = None
    ) -> Any:
        """Return the future of ``function(*arguments)``, on some workers or (None) on any."""
        import dask

        # a package goes to the scheduler once; that it is large is known
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
            return self._client.submit(
                function, *arguments, workers=None if workers is None else sorted(workers), pure=False
            )

    def fetch(self, future: Any, may_still_come: Callable[[], bool]) -> Any:
        """Return the result of a future that is done, and ask, while it does not come, whether it may.

        Raises
        ------
        GoneError
            When it may not.
        """
        from distributed import CancelledError

        patience = FETCHED_IN
        while True:
            try:
                return future.result(timeout=patience)
            except CancelledError as error:
                raise self.lost() from error
            except TimeoutError:  # it was lost with its worker and is made again, or the way is long
                patience *= 2
                if not may_still_come():
                    raise GoneError from None

    def cancel(self, futures: list[Any]) -> None:
        """Cancel tasks, if the scheduler still runs."""
        if self._client.status == "running":
            self._client.cancel(futures, force=True)

    def lost(self) -> ClusterError:
        """Return the error for who cannot reach it any more."""
        return ClusterError(
            f"the connection to {self.address} is lost, or its tasks were cancelled; "
            "start it again and give the same command again"
        )


def wait_a_little(future: Any) -> None:
    """Wait for a future, a tick at most."""
    # distributed.wait would raise when time is up, and what it raises is in a cycle with the
    # future: until the garbage is collected a worker would keep the result
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    done.wait(TICK)
