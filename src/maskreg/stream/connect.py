"""From how a user names a cluster to a connection: an address, a scheduler file, or workers of one's own."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from maskreg.errors import ClusterError, InputError, MissingExtraError
from maskreg.stream.cluster import TIMEOUT, Cluster

log = logging.getLogger(__name__)

LOCAL = re.compile(r"local:([1-9]\d*)")

CONNECTED_IN = 30.0
"""How long an answer of the scheduler is waited for, s, unless the cluster's time limit is shorter."""

CLOSED_IN = 10.0
"""How long to wait for workers of one's own to end, s."""

LEFT_IN = 0.5
"""The same after an error or an interrupt, s."""

NO_DASHBOARD = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
"""A page that nobody asked for is not served, and no port is taken that others may want."""

KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "500000000", "MALLOC_MMAP_THRESHOLD_": "33000000"}
"""What to tell the C library of a worker: keep what an image needed for the next one. Dask by itself has it
give everything back, and a frame then costs two to three times as much (`benchmarks/scale.py`)."""

CHATTY = ("distributed", "distributed.client", "distributed.core", "tornado", "tornado.application")


def is_place(text: str) -> bool:
    """Whether `text` names a cluster: ``tcp://HOST:PORT``, ``local:N`` or a scheduler file."""
    return LOCAL.fullmatch(text) is not None or "://" in text or text.endswith(".json")


@contextmanager
def connected(place: str, *, timeout: float = TIMEOUT) -> Iterator[Cluster]:
    """Connect to a cluster, and let go of it at the end.

    Parameters
    ----------
    place : str
        The scheduler's address such as ``tcp://HOST:PORT``; the file that it wrote
        (``--scheduler-file``); or ``local:N``: N workers that are started here, a process and a
        thread each, and end with it.
    timeout : float
        How long the work may wait for workers, s.

    Raises
    ------
    ClusterError
        When there is no scheduler.
    InputError
        When `place` is something else.
    MissingExtraError
        When ``distributed`` is not installed.
    """
    if not is_place(place):
        raise InputError(f"dask is {place!r}; it is tcp://HOST:PORT, local:N or a scheduler file (.json)")
    distributed = _distributed()
    with ExitStack() as stack:
        local = LOCAL.fullmatch(place)
        if local is not None:
            cluster = _workers_here(distributed, int(local[1]))
            stack.push(_closing(cluster))
            client = _client(distributed, cluster, place, timeout)
        elif "://" in place:
            client = _client(distributed, place, place, timeout)
        else:
            _wait_for(Path(place), timeout)
            client = _client(distributed, None, place, timeout, scheduler_file=place)
        stack.push(_closing(client))
        yield Cluster(client, timeout=timeout)


def _workers_here(distributed: Any, count: int) -> Any:
    """Start workers on this machine, a process and a thread each."""
    import dask

    _clear_away_in_silence()
    with dask.config.set({f"distributed.nanny.pre-spawn-environ.{k}": v for k, v in KEEP_MEMORY.items()}):
        return distributed.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            host="127.0.0.1",
            scheduler_kwargs=NO_DASHBOARD,
            silence_logs=logging.CRITICAL,
        )


def _clear_away_in_silence() -> None:
    """Have what an interrupt leaves of the workers (semaphores) cleared away without a warning."""
    from multiprocessing import resource_tracker

    sys.warnoptions.append("ignore:resource_tracker")
    try:
        resource_tracker.ensure_running()  # a process of its own, which takes these options along
    finally:
        sys.warnoptions.remove("ignore:resource_tracker")


def _client(distributed: Any, address: Any, place: str, timeout: float, **options: Any) -> Any:
    patience = min(CONNECTED_IN, timeout)
    try:
        return distributed.Client(address, timeout=patience, set_as_default=False, **options)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no scheduler answers at {place} within {patience:g} s; is it running, can it be reached, "
            f"and is the address right? ({type(error).__name__})"
        ) from error


def _closing(connection: Any) -> Callable[[type[BaseException] | None, object, object], None]:
    """Return what closes a client or workers of one's own, whether or not anybody is there to answer."""

    def close(kind: type[BaseException] | None, *_: object) -> None:
        try:
            connection.close(timeout=CLOSED_IN if kind is None else LEFT_IN)
        except Exception as error:  # nothing depends on it any more, and workers end with this process
            log.debug("%s did not close: %r", type(connection).__name__, error)

    return close


def _wait_for(file: Path, timeout: float) -> None:
    """Wait for a scheduler file, which a job may still have to write."""
    if file.is_file():
        return
    log.warning("there is no file %s; waiting up to %g s for the scheduler to write it", file, timeout)
    end = time.monotonic() + timeout
    while not file.is_file():
        if time.monotonic() > end:
            raise ClusterError(f"{file}: no scheduler wrote this file within {timeout:g} s (--dask-timeout)")
        time.sleep(0.1)


def _distributed() -> Any:
    """Return the package, whose own messages are shown only with ours for debugging."""
    try:
        import distributed
    except ImportError as error:
        raise MissingExtraError(
            f'a cluster needs distributed: python -m pip install "maskreg[dask]" ({error})'
        ) from error
    if not log.isEnabledFor(logging.DEBUG):
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return distributed
