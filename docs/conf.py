"""Sphinx: MyST pages, the furo theme, nothing that is fetched from elsewhere."""

from ctiforge import __version__

project = "ctiforge"
author = "the ctiforge authors"
copyright = "the ctiforge authors"
version = release = __version__
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "ctiforge"
html_show_sphinx = False
html_copy_source = False
exclude_patterns: list[str] = []
