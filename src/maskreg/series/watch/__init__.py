"""Aligning frames as they are written: what has arrived, what is alarming, and who asks both.

`run` watches a `folder`, with a `session` for each reference. `arrivals` decides which files may be read,
`alarms` what somebody must be told: neither touches a file. `arrived` makes frames of the files.
"""

from maskreg.series.watch.alarms import Alarm
from maskreg.series.watch.run import watch_run

__all__ = ["Alarm", "watch_run"]
