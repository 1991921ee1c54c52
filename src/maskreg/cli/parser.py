"""The parser: verbs, the flags that all of them share, and help with typing errors."""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from importlib import import_module
from pathlib import PurePath
from typing import NoReturn

from maskreg._version import __version__
from maskreg.cli.words import about_option, about_verb
from maskreg.errors import UsageError

VERBS = {
    "demo": "make a small chromium scan with a beam-block and known drift, and align it",
    "pair": "register two images",
    "align": "align a series of frames into a run folder",
    "watch": "align frames as they are written",
    "apply": "write the aligned frames of a run, and which of their pixels are valid",
    "merge": "merge the aligned frames of a run: mean, count, standard error and variance",
    "mask": "find what stays still while the pattern moves, or draw a mask",
    "export": "write the table of a run as CSV or JSON",
    "report": "show what became of a run, in one HTML file",
    "view": "look at a run or at frames in a local page, and draw masks",
    "info": "tell what is in a file, a folder of frames or a run folder",
    "doctor": "tell versions, cores, missing packages and what adds them",
    "completion": "print a script that completes verbs and options in a shell",
}

_DESCRIPTION = "Registers images of which a part must be ignored (a beam-block, clouds, dead pixels)."
_EPILOG = (
    "Try: maskreg demo. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 some frames flagged, 130 interrupted."
)


class _Parser(ArgumentParser):
    """argparse, with errors that reach `main` instead of ending the program with a page of usage."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def parse(argv: Sequence[str]) -> Namespace:
    """Return the parsed arguments; ``args.run(args)`` does the work.

    Only the module of the verb that is asked for is imported.
    """
    _check_verb(argv)
    _check_empty(argv)
    parser = _Parser("maskreg", description=_DESCRIPTION, epilog=_EPILOG, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"maskreg {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", dest="verb", required=True)
    for name, line in VERBS.items():
        verb = verbs.add_parser(
            name, help=line, description=f"{line[0].upper()}{line[1:]}.", allow_abbrev=False
        )
        if name in argv:
            module = import_module(f"maskreg.cli.verbs.{name}")
            verb.set_defaults(run=module.run, parser=verb, when_interrupted="nothing was written")
            verb.set_defaults(is_begun=lambda args: True)
            module.add_arguments(verb)
            _add_common(verb)
    try:
        args, unknown = parser.parse_known_args(argv)
    except UsageError as error:
        raise UsageError(f"{error}{_about_files(argv)}") from error
    if unknown:
        # a mistyped option leaves its value behind as an argument too many: name the option
        culprit = next((argument for argument in unknown if argument.startswith("-")), unknown[0])
        raise UsageError(f"{_about_unknown(culprit, args.parser)}{_about_files(unknown)}")
    if isinstance(files := getattr(args, "input", None), list) and len(files) > 1:
        args.input = _as_frames_come(files)
    args.verbosity = args.verbose - args.quiet
    args.command = list(argv)
    return args


def _as_frames_come(files: list[str]) -> list[str]:
    """Return what a shell has made of a pattern, which sorts f10 before f2, in the order of the frames.

    Who lists files in another order is told that they do not come in it.
    """
    from maskreg.frames.order import natural_key

    return sorted(files, key=lambda file: natural_key(PurePath(file))) if files == sorted(files) else files


def parser_of(name: str) -> ArgumentParser:
    """Return the whole parser of one verb, for those who want to know its options."""
    verb = _Parser(f"maskreg {name}", allow_abbrev=False)
    import_module(f"maskreg.cli.verbs.{name}").add_arguments(verb)
    _add_common(verb)
    return verb


def _add_common(verb: ArgumentParser) -> None:
    common = verb.add_argument_group("messages")
    common.add_argument("-q", "--quiet", action="count", default=0, help="only errors on stderr")
    common.add_argument(
        "-v", "--verbose", action="count", default=0, help="more about what is done, on stderr"
    )
    common.add_argument("--debug", action="store_true", help="show where an error comes from")


def _check_verb(argv: Sequence[str]) -> None:
    """Say which verb may have been meant (argparse does so only from Python 3.14 on)."""
    if not argv:
        raise UsageError(f"say what to do: {', '.join(VERBS)}; see maskreg --help")
    first = argv[0]
    if not first.startswith("-") and first not in VERBS:
        raise UsageError(f"there is no verb {first!r}{about_verb(first, VERBS)}; see maskreg --help")


def _check_empty(argv: Sequence[str]) -> None:
    """Refuse an empty word: a path that is none would be the working folder."""
    for place, word in enumerate(argv):
        if not word or (word.endswith("=") and word.startswith("--")):
            raise UsageError(f"{word or argv[place - 1]} has nothing behind it; is a shell variable not set?")


def _about_files(words: Sequence[str]) -> str:
    """Return what to write for a file that is called like an option; nothing, or a clause."""
    file = next((word for word in words if word.startswith("-") and os.path.exists(word)), None)  # noqa: PTH110
    return f"; the file {file} is written ./{file}" if file else ""


def _about_unknown(argument: str, verb: ArgumentParser) -> str:
    if not argument.startswith("-"):
        return f"one argument too many: {argument!r}; see {verb.prog} --help"
    option = argument.split("=")[0]
    known = re.findall(r"(?<![\w-])--?[a-z][\w-]*", verb.format_help())
    if option in known:
        return f"options go behind the verb: {verb.prog} {option} ...; see {verb.prog} --help"
    return f"there is no option {option}{about_option(option, known)}; see {verb.prog} --help"
