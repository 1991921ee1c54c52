"""``maskreg view RUN|FRAMES``: the live page, on this machine only."""

from __future__ import annotations

import logging
from argparse import ArgumentParser, Namespace
from functools import partial

from maskreg.cli import exits
from maskreg.cli.flags import values
from maskreg.cli.flags.mask import add_mask_flags, ensure_grown, mask_from, names_mask
from maskreg.cli.flags.moving import add_input_flag

log = logging.getLogger(__name__)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``view``."""
    parser.add_argument(
        "what", nargs="+", metavar="RUN|FRAMES", help="a run folder, also while it is written; or frames"
    )
    parser.add_argument(
        "--port",
        type=values.port,
        default=0,
        metavar="N",
        help="the port on 127.0.0.1 (default: a free one); for a tunnel, ssh -L N:127.0.0.1:N HOST",
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address, open no browser")
    add_input_flag(parser)
    add_mask_flags(parser)
    parser.set_defaults(when_interrupted="the page is gone")


def run(args: Namespace) -> int:
    """Serve the page until Ctrl-C."""
    ensure_grown(args)

    from maskreg.report.style import require_bokeh

    require_bokeh()
    import webbrowser

    from maskreg.view.page import Page
    from maskreg.view.server import PageServer
    from maskreg.view.subject import open_subject

    subject = open_subject(args.what, args.input)
    if names_mask(args):
        subject.mask = mask_from(args, subject.source.shape, lambda: subject.source.read(0))
    with subject.source:
        server = PageServer(partial(Page, subject), args.port)
        print(f"page: {server.url()}", flush=True)
        log.info("it is for this machine only; Ctrl-C ends it")
        if not args.no_browser:
            webbrowser.open(server.url())
        server.run()
    return exits.DONE
