"""``python -m maskreg`` is the command ``maskreg``."""

from maskreg.cli import script

script()
