"""The documentation site: ``python -m sphinx -W -b html docs docs/_build``; it needs no network."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))
# the width of the help texts of the command line
os.environ["COLUMNS"] = "96"

from maskreg import __version__

project = "maskreg"
author = "The maskreg developers"
copyright = "The maskreg developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "mathml", "verbs"]
exclude_patterns = ["_build", "**/README.md"]

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
default_role = "code"

html_theme = "furo"
html_title = "maskreg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"sidebar_hide_name": False, "navigation_with_keys": True}
# everything comes with the pages: fonts of the system, mathematics as MathML
html_math_renderer = "mathml"
pygments_style = "friendly"
