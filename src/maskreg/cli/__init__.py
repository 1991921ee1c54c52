"""The command line: ``maskreg VERB ...``, a file per verb in `verbs`, what several of them share in `flags`.

`main` leads from arguments to an exit code. `parser` knows the verbs, `words` helps who mistypes one;
`interrupts` sees to an orderly end, `messages` and `streams` to what is said meanwhile, `run_summary` and
`run_report` to what is told when a run has ended. Nothing heavy is imported before a verb runs, so that
``maskreg --help`` answers at once.
"""

from maskreg.cli.main import main, script

__all__ = ["main", "script"]
