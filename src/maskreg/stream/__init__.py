"""An ordered, bounded map that knows nothing of images.

Results come in the order of the items, one at a time; at most `in_flight` items have been taken
whose result has not been handed on. Who runs the tasks (this thread, several threads, forked processes, the
workers of a cluster) never shows in the results.
"""

from maskreg.stream.cluster import Cluster
from maskreg.stream.forked import Forked, can_fork, is_replaceable
from maskreg.stream.ordered import Runner, Workers, ordered_map, workers_of

__all__ = [
    "Cluster",
    "Forked",
    "Runner",
    "Workers",
    "can_fork",
    "is_replaceable",
    "ordered_map",
    "workers_of",
]
