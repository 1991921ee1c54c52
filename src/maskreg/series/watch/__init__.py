"""Aligning frames as they are written: what has arrived, what is alarming, and the loop that asks both."""

from maskreg.series.watch.alarms import Alarm
from maskreg.series.watch.run import watch_run

__all__ = ["Alarm", "watch_run"]
