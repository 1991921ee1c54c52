"""The command line: ``maskreg VERB ...``, a file per verb.

Nothing heavy is imported before a verb runs, so that ``maskreg --help`` answers at once.
"""

from maskreg.cli.main import main, script

__all__ = ["main", "script"]
