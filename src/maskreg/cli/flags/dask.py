"""The flags of verbs whose work may run on a cluster."""

from __future__ import annotations

from argparse import Namespace, _ArgumentGroup
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from maskreg.cli.flags import values
from maskreg.errors import UsageError


def add_dask_flags(how: _ArgumentGroup) -> None:
    """Add where the cluster is, to the group that says how it runs."""
    how.add_argument(
        "--dask",
        type=values.cluster,
        metavar="WHERE",
        help="run on a Dask cluster: tcp://HOST:PORT, a scheduler file, or local:N for N processes here",
    )
    how.add_argument(
        "--dask-timeout",
        type=values.seconds,
        metavar="S",
        help="how long to wait for workers (default: 600)",
    )


@contextmanager
def cluster_of(args: Namespace) -> Iterator[Any]:
    """Yield the cluster that is named, or None."""
    if args.dask is None:
        if args.dask_timeout is not None:
            raise UsageError("--dask-timeout is for --dask")
        yield None
        return
    if args.workers is not None:
        raise UsageError("--workers counts those of this program, --dask names a cluster; give one of them")

    from maskreg.stream.cluster import TIMEOUT
    from maskreg.stream.connect import connected

    with connected(args.dask, timeout=TIMEOUT if args.dask_timeout is None else args.dask_timeout) as cluster:
        yield cluster
