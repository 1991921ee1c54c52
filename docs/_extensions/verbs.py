"""The directive ``verbs``: every verb of the command line, written by its own parser."""

from docutils import nodes
from docutils.parsers.rst import Directive

from maskreg.cli.parser import VERBS, parser_of


class Verbs(Directive):
    """A section with the help text of each verb."""

    def run(self):
        """Return the sections."""
        return [_section(name, line) for name, line in VERBS.items()]


def _section(name: str, line: str) -> nodes.section:
    section = nodes.section(ids=[f"maskreg-{name}"], names=[f"maskreg {name}"])
    section += nodes.title("", "", nodes.literal("", f"maskreg {name}"))
    section += nodes.paragraph("", f"{line[0].upper()}{line[1:]}.")
    text = parser_of(name).format_help()
    block = nodes.literal_block(text, text)
    block["language"] = "text"
    section += block
    return section


def setup(app):
    """Register the directive."""
    app.add_directive("verbs", Verbs)
    return {"parallel_read_safe": True}
