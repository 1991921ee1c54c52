"""A Dask cluster of real processes on the loopback address, to be killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PATIENCE = 60
"""How long a process may take to start on a machine that is short of time, s."""


class RealCluster:
    """A scheduler and its workers, each a process of its own.

    Parameters
    ----------
    folder : Path
        For what the processes write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scheduler_file = folder / "scheduler.json"
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def start_scheduler(self) -> None:
        self.scheduler = self._started(
            "scheduler", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-show",
            "--no-dashboard", "--scheduler-file", self.scheduler_file,
        )  # fmt: skip
        # it is there before all of it is written
        until(lambda: self.scheduler_file.exists() and self.scheduler_file.read_text().rstrip().endswith("}"))

    def start_worker(self, name: str, *, threads: int = 1, **environment: str) -> None:
        """Start a worker, without waiting for it."""
        self.workers[name] = self._started(
            name, "distributed.cli.dask_worker", "--host", "127.0.0.1", "--nthreads", str(threads),
            "--no-nanny", "--no-dashboard", "--name", name, "--scheduler-file", self.scheduler_file,
            "--local-directory", self.folder / "local", "--death-timeout", str(PATIENCE), **environment,
        )  # fmt: skip

    def kill(self, name: str) -> None:
        """Kill a worker as the system does that has no memory left."""
        worker = self.workers.pop(name)
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    def kill_scheduler(self) -> None:
        assert self.scheduler is not None
        self.scheduler.send_signal(signal.SIGKILL)
        self.scheduler.wait()

    @property
    def address(self) -> str:
        import json

        return json.loads(self.scheduler_file.read_text())["address"]

    @contextmanager
    def client(self, workers: int) -> Iterator[Any]:
        """Return a client that sees so many workers."""
        from distributed import Client

        with Client(self.address, set_as_default=False, timeout=PATIENCE) as client:
            client.wait_for_workers(workers, timeout=PATIENCE)
            yield client

    def stop(self) -> None:
        processes = [*self.workers.values(), *([self.scheduler] if self.scheduler else [])]
        for process in processes:
            with suppress(ProcessLookupError):
                process.kill()
        for process in processes:
            process.wait()

    def _started(
        self, name: str, module: str, *arguments: Any, **environment: str
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, *map(str, arguments)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder,
                env={**os.environ, **environment},
            )  # fmt: skip


def until(condition: Any) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"{condition} does not come true"
        time.sleep(0.02)


@contextmanager
def real_cluster(folder: Path, workers: int) -> Iterator[RealCluster]:
    """Start a scheduler and workers, called ``w0``, ``w1``, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = RealCluster(folder)
    try:
        cluster.start_scheduler()
        for number in range(workers):
            cluster.start_worker(f"w{number}")
        yield cluster
    finally:
        cluster.stop()
