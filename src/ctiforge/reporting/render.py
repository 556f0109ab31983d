"""A report as one HTML page: style and script inside, every text escaped, nothing fetched."""

import base64
import hashlib
import re
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ctiforge.reporting.view import Report

_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters, but for tab and line ends
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of the text around it
    "\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def render(report: Report) -> str:
    """Render a report as one HTML page that fetches nothing.

    Args:
        report: The report.

    Returns:
        The page; its own script and style are the only ones that its policy lets a browser run.
    """
    environment = Environment(
        loader=PackageLoader("ctiforge.reporting", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = _file("report.css") + _page_header(report), _file("report.js")
    allowed = f"style-src {_source(style)}; script-src {_source(script)}"
    policy = f"default-src 'none'; {allowed}; form-action 'none'; base-uri 'none'"
    return environment.get_template("report.html.j2").render(
        report=report, style=Markup(style), script=Markup(script), policy=policy
    )


def _visible(value: Any) -> Any:
    """Show characters that cannot be seen, or rearrange what can, as their number; markup stays as it is."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return _UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", value)


def _page_header(report: Report) -> str:
    """Write what printed pages say at their top and foot; style is no place for foreign characters."""
    run = re.sub(r"[^A-Za-z0-9 ._-]", "", report.run)
    return (
        f'@page {{ margin: 16mm 14mm; @top-left {{ content: "ctiforge · run {run}"; font: 8pt sans-serif; }} '
        '@bottom-right { content: counter(page) " / " counter(pages); font: 8pt sans-serif; } }\n'
    )


def _source(text: str) -> str:
    """Write how a content security policy names a style or script by its content."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _file(name: str) -> str:
    return resources.files("ctiforge.reporting").joinpath("page", name).read_text(encoding="utf-8")
