"""Mathematics as MathML, which browsers draw themselves: no script, no network, no pictures."""

from docutils import nodes
from docutils.utils.math import latex2mathml


def _markup(tex: str, *, as_block: bool) -> str:
    tree = latex2mathml.tex2mathml(tex, as_block=as_block)
    return tree if isinstance(tree, str) else "".join(tree)


def inline(self, node: nodes.math) -> None:
    """Write a formula within a line."""
    self.body.append(_markup(node.astext(), as_block=False))
    raise nodes.SkipNode


def display(self, node: nodes.math_block) -> None:
    """Write a formula of its own, with its number if it has one."""
    number = f'<span class="equation">({node["number"]})</span>' if node.get("number") else ""
    identity = f' id="{node["ids"][0]}"' if node.get("ids") else ""
    self.body.append(f'<div class="formula"{identity}>{_markup(node.astext(), as_block=True)}{number}</div>')
    raise nodes.SkipNode


def setup(app):
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    return {"parallel_read_safe": True}
