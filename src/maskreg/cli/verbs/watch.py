"""``maskreg watch DIR -o RUN``: frames are aligned as they are written."""

from __future__ import annotations

import logging
import os
import subprocess
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from maskreg.cli.flags import values
from maskreg.cli.flags.calibration import add_calibration_flags
from maskreg.cli.flags.mask import add_mask_flags, ensure_grown, mask_from
from maskreg.cli.flags.metadata import add_pattern_flag
from maskreg.cli.flags.options import add_option_flags, options_from
from maskreg.cli.flags.run_folder import add_folder_flags, is_begun
from maskreg.cli.output_file import ensure_apart
from maskreg.cli.run_report import REPORT
from maskreg.cli.run_summary import told

if TYPE_CHECKING:
    from maskreg.series.watch import Alarm

log = logging.getLogger(__name__)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``watch``."""
    parser.add_argument("folder", metavar="DIR", help="the folder that frames are written to")
    parser.add_argument("-o", "--output", required=True, metavar="RUN", help="the run folder")
    parser.add_argument(
        "--reference",
        default="first",
        metavar="WHICH",
        help="first (by name, of those that can be one; default), or an image file",
    )
    when = parser.add_argument_group("when")
    when.add_argument(
        "--until-idle",
        type=values.seconds,
        metavar="S",
        help="end when no frame has arrived for S seconds (default: run until Ctrl-C)",
    )
    when.add_argument(
        "--settle",
        type=values.seconds,
        metavar="S",
        help="read a file that nobody is known to have closed when it has not changed for S seconds (2)",
    )
    alarms = parser.add_argument_group("alarms (a jump, a falling score, no new frame)")
    alarms.add_argument(
        "--alarm-after",
        type=values.minutes,
        metavar="MIN",
        help="give alarm when no frame came for MIN minutes",
    )
    alarms.add_argument(
        "--on-alarm",
        metavar="CMD",
        help="run this command, which finds MASKREG_ALARM and MASKREG_TEXT in its environment",
    )
    add_pattern_flag(parser.add_argument_group("metadata (columns of the table)"))
    add_option_flags(parser)
    add_calibration_flags(parser)
    add_mask_flags(parser)
    add_folder_flags(parser)
    parser.set_defaults(
        when_interrupted="the table holds what is done, the same command goes on", is_begun=is_begun
    )


def run(args: Namespace) -> int:
    """Watch a folder until nothing arrives any more, and print a summary."""
    options = options_from(args)
    ensure_grown(args)
    ensure_apart(args.output, [args.folder])

    from maskreg.series import Origin
    from maskreg.series.run import ensure_run_writable
    from maskreg.series.watch import watch_run
    from maskreg.series.watch.run import SETTLE

    ensure_run_writable(args.output, overwrite=args.overwrite, more=[REPORT])

    def alarm(happened: Alarm) -> None:
        log.warning("alarm: %s", happened.text)
        if args.on_alarm:
            _call(args.on_alarm, happened)

    alignment = watch_run(
        args.folder,
        args.output,
        lambda image: mask_from(args, image.shape, lambda: image),
        reference=values.reference(args.reference),
        options=options,
        dark=args.dark,
        flat=args.flat,
        pattern=args.pattern,
        workers=args.workers,
        overwrite=args.overwrite,
        repair=args.repair,
        settle=SETTLE if args.settle is None else args.settle,
        until_idle=args.until_idle,
        silence=args.alarm_after,
        on_alarm=alarm,
        origin=Origin.here([args.folder], args.command),
    )
    return told(args, alignment)


def _call(command: str, alarm: Alarm) -> None:
    """Start a command of the user's, and do not wait for it; no shell looks at the text."""
    environment = {**os.environ, "MASKREG_ALARM": alarm.kind, "MASKREG_TEXT": alarm.text}
    try:
        _running.append(
            subprocess.Popen(
                command, shell=True, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
        )
    except OSError as error:
        log.warning("the command on alarm did not start: %s", error)
    _running[:] = [process for process in _running if process.poll() is None]


_running: list[subprocess.Popen[bytes]] = []
"""Commands that have not ended; those that have are taken off when the next one starts."""
