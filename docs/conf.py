"""Sphinx: MyST pages, the furo theme, nothing that is fetched from elsewhere."""

import json
import sys
from pathlib import Path

from sphinx.application import Sphinx

from ctiforge import __version__

sys.path.append(str(Path(__file__).parent / "reference"))
from from_code import file_kinds

project = "ctiforge"
author = "the ctiforge authors"
project_copyright = "the ctiforge authors"
version = release = __version__
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "ctiforge"
html_show_sphinx = False
html_copy_source = False
exclude_patterns: list[str] = []


def setup(app: Sphinx) -> None:
    """Let the JSON Schemas that the reference links to be written beside the pages."""
    app.connect("build-finished", _write_schemas)


def _write_schemas(app: Sphinx, error: Exception | None) -> None:
    if error:
        return
    folder = Path(app.outdir) / "schemas"
    folder.mkdir(exist_ok=True)
    for kind in file_kinds():
        text = json.dumps(kind.model_json_schema(), indent=1, ensure_ascii=False)
        (folder / f"{kind.__name__}.json").write_text(f"{text}\n", encoding="utf-8")
